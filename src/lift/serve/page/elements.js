// Building the page: elements made of text, never of HTML, so that no file name or caption can become part of the page.
import { say, words } from "./language.js";

/** An element: h("button", {class: "main", onclick}, "text", other); `say`: a text's key, or [key, arguments]. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "say") say(element, ...[value].flat(1));
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that says `key`, with a longer name for screen readers when `label` = [key, args] is given. */
export function button(key, onclick, { kind, label } = {}) {
  const element = h("button", { type: "button", class: kind, onclick, say: key });
  if (label) say(element, label[0], label[1], "label");
  return element;
}

/** A file's short name: what stands after the last slash of a key. */
export const shortName = (key) => key.split("/").filter(Boolean).at(-1) ?? key;

/** An image of a photo of the collection; its description is its first caption, else its name. */
export function picture(photo, { large = false } = {}) {
  const image = h("img", {
    src: large ? photo.picture : photo.thumbnail,
    alt: photo.captions?.[0] ?? shortName(photo.key),
    loading: large ? null : "lazy",
    decoding: "async",
  });
  return image;
}

/** What the server said in pieces, as sentences: each begins with a capital and ends with a full stop. */
export const sentences = (...pieces) =>
  pieces.filter(Boolean).map((one) => one[0].toUpperCase() + one.slice(1) + (/[.!?]$/.test(one) ? "" : ".")).join(" ");

/** Words of the server, which speaks English whatever the page speaks. */
export const english = (said) => h("span", { lang: "en" }, said);

/** Says something to screen readers without showing it. */
export function announce(text) {
  const place = document.querySelector("dialog[open] [role=status]") ?? document.getElementById("said");
  place.textContent = place.textContent === text ? `${text}\u00a0` : text; // the same words again must be read again
}

/** Shows what went wrong and what to do about it; `null` takes the message away. */
export function showProblem(problem) {
  const place = document.querySelector("dialog[open] [role=alert]") ?? document.getElementById("problem");
  place.replaceChildren();
  if (!problem) return;
  const title = problem.title ? [problem.title, problem.args ?? []] : "error.title";
  const box = h("div", { class: "problem" }, h("p", {}, h("strong", { say: title })));
  if (problem.remedyKey) box.append(h("p", { say: [problem.remedyKey, problem.args ?? []] }));
  if (problem.error) {
    const said = h("p", { class: "said" }, h("span", { say: "error.said" }), " ", english(sentences(problem.error)));
    if (problem.remedy)
      said.append(h("br"), h("span", { say: "error.whatNow" }), " ", english(sentences(problem.remedy)));
    box.append(said);
  }
  box.append(button("app.close", () => showProblem(null), { kind: "quiet" }));
  place.append(box);
  place.scrollIntoView({ block: "nearest" });
}

/** Runs a piece of work with its button busy; what it throws is shown in words. Returns what the work returns. */
export async function working(control, work) {
  showProblem(null);
  if (control) {
    if (control.getAttribute("aria-busy") === "true") return undefined; // pressed twice
    control.setAttribute("aria-busy", "true");
  }
  announce(words("app.busy"));
  try {
    return await work();
  } catch (error) {
    if (!error.problem) throw error;
    showProblem(error.problem);
    return undefined;
  } finally {
    control?.removeAttribute("aria-busy");
  }
}

/** A problem found by the page itself, such as a missing sentence; `field` gets the focus. */
export function refuse(key, args = [], field = null) {
  showProblem({ title: key, args });
  field?.focus();
  return undefined;
}

/** An open dialog with a title, a button that closes it, and places for messages; the caller fills `inside`. */
export function openDialog(kind, title, inside, closed = () => {}) {
  const dialog = h("dialog", { class: kind, "aria-labelledby": "dialog-title" });
  const close = button("app.close", () => dialog.close(), { kind: "quiet" });
  dialog.append(h("div", { class: "top" }, h("h2", { id: "dialog-title", ...title }), close),
    h("div", { role: "alert" }), h("p", { role: "status", class: "unseen" }), inside);
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
