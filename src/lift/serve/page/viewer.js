// One photo large, with what is known of it; arrow keys go to the photos beside it.
import { announce, button, h, openDialog, picture, shortName, working } from "./elements.js";
import { words } from "./language.js";
import { post } from "./server.js";

/** Opens photo number `place` of `photos`. `steps` = {similar, check, deleted?}: what the buttons do with a photo. */
export function view(photos, place, steps) {
  const inside = h("div", { class: "inside" });
  const dialog = openDialog("view", {}, inside);
  const title = dialog.querySelector("h2");

  function show(next) {
    if (next < 0 || next >= photos.length) return;
    place = next;
    const photo = photos[place];
    title.textContent = shortName(photo.key);
    const go = (step) => () => {
      dialog.close();
      step(photo);
    };
    inside.replaceChildren(
      h("figure", {}, picture(photo, { large: true })),
      h("div", { class: "known" }, ...knownOf(photo),
        h("p", { class: "actions" },
          button("card.similar", go(steps.similar)), button("card.check", go(steps.check)),
          place > 0 && button("view.previous", () => show(place - 1)),
          place < photos.length - 1 && button("view.next", () => show(place + 1))),
        steps.deleted && deletion(photo, () => go(steps.deleted)())));
    announce(`${title.textContent} ${photo.captions?.[0] ?? ""}`);
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") show(place + 1);
    if (event.key === "ArrowLeft") show(place - 1);
  });
  show(place);
}

function knownOf(photo) {
  const parts = [];
  if (photo.captions?.length)
    parts.push(h("h3", { say: "view.captions" }), h("ul", {}, ...photo.captions.map((one) => h("li", {}, one))));
  const facts = Object.entries(photo.metadata ?? {});
  const pairs = [h("dt", { say: "view.file" }), h("dd", {}, photo.key)];
  for (const [name, value] of facts) pairs.push(h("dt", {}, name), h("dd", {}, String(value)));
  parts.push(h("h3", { say: "view.details" }), h("dl", {}, ...pairs));
  return parts;
}

/** Deleting asks once more, in place. */
function deletion(photo, done) {
  const place = h("p", { class: "actions" });
  const ask = () => {
    const yes = button("view.yes", () =>
      working(yes, async () => {
        await post("/api/photos/delete", { keys: [photo.key] });
        done();
        announce(words("view.deleted", shortName(photo.key)));
      }), { kind: "danger" });
    const no = button("view.no", offer);
    place.replaceChildren(h("span", { say: "view.sure" }), " ", no, yes);
    no.focus();
  };
  const offer = () => place.replaceChildren(button("view.delete", ask, { kind: "quiet" }));
  offer();
  return place;
}
