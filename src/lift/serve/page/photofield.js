// A place for one photo: dropped, pasted, chosen from the disk, or picked from the collection.
import { announce, button, h, openDialog, picture, refuse, shortName, showProblem, working } from "./elements.js";
import { say, words } from "./language.js";
import { get, postAbout } from "./server.js";

let limits = null;
let serial = 0;

export const megabytes = (bytes) => Math.floor(bytes / 1e6);
export const setLimits = (given) => (limits = given);
/** The address of a photo {file} or {key, picture}; whoever asks frees that of a file. */
export const addressOf = (photo) => (photo.file ? URL.createObjectURL(photo.file) : photo.picture);

/** Whether a file may be sent as a photo; says why not. */
function acceptable(file) {
  if (file.type && !file.type.startsWith("image/")) return refuse("photo.noPhoto", [file.name]) ?? false;
  if (limits && file.size > limits.photo_bytes)
    return refuse("photo.tooLarge", [file.name, megabytes(limits.photo_bytes)]) ?? false;
  return true;
}

/** Makes `place` a target for dropped files. */
export function droppable(place, take) {
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

/** A file dropped beside its place is not opened by the browser, which would take the page away. */
export function catchDrops() {
  for (const kind of ["dragover", "drop"])
    window.addEventListener(kind, (event) => {
      if (!event.defaultPrevented && event.dataTransfer?.types.includes("Files")) {
        event.preventDefault();
        event.dataTransfer.dropEffect = "none";
      }
    });
}

/** Files that are pasted anywhere while `panel` is shown go to `take`. */
export function pasteable(panel, take) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (panel.hidden || !files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    take(files);
  });
}

/** Fills `place` (a div of class photo-field) with a field whose photo is {file}, {key, …} or null. */
export function photoField(place) {
  let photo = null;
  let address = null;
  const name = `photo-${++serial}`;
  const input = h("input", { id: name, class: "unseen", type: "file", accept: "image/*" });
  input.setAttribute("aria-describedby", `${name}-limit`);
  const choose = h("label", { class: "button", for: name, say: "photo.choose" });
  const pick = button("photo.pick", async () => set(await pickPhoto()));
  const clear = button("photo.remove", () => set(null), { kind: "quiet" });
  const preview = h("div", { class: "preview" });
  const chosen = h("p", { class: "chosen" });
  const limit = h("p", { class: "hint", id: `${name}-limit` });
  const empty = h("div", { class: "nothing" }, h("p", { class: "paste", say: "photo.drop" }));
  const box = h("div", { class: "drop" }, preview, h("div", { class: "about" }, empty, chosen,
    h("p", { class: "actions" }, input, choose, pick, clear), limit));
  place.append(h("fieldset", {}, h("legend", { say: place.dataset.legend }), box));
  place.removeAttribute("data-legend");

  function set(next, silent = false) {
    if (next === undefined) return; // the dialog was closed without a choice
    if (address) URL.revokeObjectURL(address);
    address = next?.file ? addressOf(next) : null;
    photo = next;
    preview.replaceChildren();
    if (next) {
      const image = next.file ? h("img", { src: address, alt: "" }) : picture(next);
      image.alt = "";
      image.addEventListener("error", () => image.remove()); // a kind of photo this browser cannot show
      preview.append(image);
      chosen.textContent = next.file ? next.file.name : shortName(next.key);
    }
    empty.hidden = limit.hidden = Boolean(next);
    chosen.hidden = clear.hidden = preview.hidden = !next;
    box.classList.toggle("filled", Boolean(next));
    input.value = "";
    if (!silent) {
      announce(next ? words("photo.chosen", chosen.textContent) : words("photo.removed"));
      if (!next) pick.focus();
    }
  }
  const take = ([file]) => {
    showProblem(null);
    if (acceptable(file)) set({ file });
  };
  input.addEventListener("change", () => input.files.length && take([...input.files]));
  droppable(box, take);
  pasteable(place.closest("[role=tabpanel]"), take);
  set(null, true);
  return {
    get photo() { return photo; },
    set,
    focus: () => pick.focus(),
    showLimits: () => say(limit, "photo.limit", [megabytes(limits.photo_bytes)]),
  };
}

/** A dialog with photos of the collection; resolves to the photo picked, or to undefined. */
function pickPhoto() {
  const text = h("input", { id: "pick-text", type: "search", autocomplete: "off" });
  const go = h("button", { class: "main", say: "pick.go" });
  const grid = h("ul", { class: "grid small" });
  const form = h("form", { novalidate: true }, h("label", { for: "pick-text", say: "pick.text" }),
    h("div", { class: "line" }, text, go), h("p", { class: "hint", say: "pick.lead" }));
  return new Promise((resolve) => {
    let picked;
    const dialog = openDialog("pick", { say: "pick.title" }, h("div", {}, form, grid), () => resolve(picked));
    const choice = (photo) => {
      const take = () => {
        picked = photo;
        dialog.close();
      };
      const chosen = h("button", { type: "button", class: "thumb", onclick: take }, picture(photo));
      return h("li", {}, say(chosen, "pick.choose", [photo.captions?.[0] ?? shortName(photo.key)], "label"));
    };
    const show = () =>
      working(go, async () => {
        const sentence = text.value.trim();
        const found = sentence
          ? await postAbout("/api/search", null, { text: sentence, top: 48 })
          : await get("/api/photos?offset=0&top=48");
        grid.replaceChildren(...found.matches.map(choice));
      });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      show();
    });
    text.focus();
    show();
  });
}
