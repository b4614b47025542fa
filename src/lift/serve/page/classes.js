// The tab "Classes": names of one's own, put in order for a photo.
import { announce, h, refuse, working } from "./elements.js";
import { warnOfForeign } from "./foreign.js";
import { say } from "./language.js";
import { addressOf, photoField } from "./photofield.js";
import { postAbout } from "./server.js";

const panel = document.getElementById("classes");
const names = document.getElementById("names");
const results = panel.querySelector(".results");
let field = null;
let address = null; // of the photo of the result, freed at the next

export function startClasses() {
  field = photoField(panel.querySelector(".photo-field"));
  panel.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    order();
  });
}

export function aboutClasses(about) {
  field.showLimits();
  warnOfForeign(panel.querySelector("form"), [names], about.languages, "classes.example");
}

async function order() {
  const classes = [...new Set(names.value.split("\n").map((one) => one.trim()).filter(Boolean))];
  if (!field.photo) return refuse("check.needsPhoto", [], field);
  if (classes.length < 2) return refuse("classes.needs", [], names);
  const photo = field.photo;
  await working(panel.querySelector("form .main"), async () => {
    const answer = await postAbout("/api/classify", photo, { classes, top: classes.length });
    show(photo, answer.classes);
  });
}

/** Bars from the weakest (a stub) to the strongest name (full): they compare, and say nothing of right or wrong. */
function show(photo, found) {
  const scores = found.map((one) => one.score);
  const low = Math.min(...scores);
  const span = Math.max(...scores) - low || 1;
  if (address) URL.revokeObjectURL(address);
  address = addressOf(photo);
  const image = h("img", { src: address, alt: "" });
  image.addEventListener("error", () => image.remove());
  panel.querySelector(".shown").replaceChildren(h("figure", {}, image));
  panel.querySelector(".bars").replaceChildren(...found.map((one) => {
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", 0.04 + (0.96 * (one.score - low)) / span);
    return h("li", {}, h("span", { class: "name" }, one.name), bar);
  }));
  results.hidden = false;
  const heading = say(results.querySelector(".found"), "classes.best", [found[0].name]);
  announce(heading.textContent);
  heading.focus({ preventScroll: true });
  results.scrollIntoView({ block: "start" });
}
