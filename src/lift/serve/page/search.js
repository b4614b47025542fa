// The tab "Search": photos by a sentence, a photo, or both, without something, narrowed down by what is known of them.
import { announce, button, h, picture, refuse, shortName, showProblem, working } from "./elements.js";
import { warnOfForeign } from "./foreign.js";
import { say, words } from "./language.js";
import { photoField } from "./photofield.js";
import { postAbout } from "./server.js";
import { view } from "./viewer.js";

const PAGE = 24;
const panel = document.getElementById("search");
const text = document.getElementById("search-text");
const without = document.getElementById("search-without");
const filters = document.getElementById("filters");
const results = panel.querySelector(".results");
const grid = panel.querySelector(".grid");
const more = panel.querySelector(".more");
let field = null;
let about = null;
let photos = []; // all that are shown, in their order
let asked = null; // {photo, request}: the search whose next page "more" shows
let checkPhoto = () => {};

export function startSearch(steps) {
  checkPhoto = steps.check;
  field = photoField(panel.querySelector(".photo-field"));
  panel.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  more.addEventListener("click", () => nextPage());
}

export function aboutSearch(given) {
  about = given;
  field.showLimits();
  warnOfForeign(panel.querySelector("form"), [text], about.languages, "search.example");
  if (about.limits.sentence_length) text.maxLength = without.maxLength = about.limits.sentence_length;
  const rows = about.fields.map((one, place) => filterRow(typeof one === "string" ? { name: one } : one, place));
  filters.querySelector(".fields").replaceChildren(...rows);
  filters.hidden = !rows.length;
}

/** A field to narrow down by: two numbers, one of a few values, or a value typed. */
function filterRow(one, place) {
  const id = `filter-${place}`;
  const row = h("div", { class: "filter", "data-field": one.name });
  if (one.kind === "number") {
    const bound = (which, key, hint) => {
      const input = h("input", { type: "number", step: "any", id: `${id}-${which}`, placeholder: hint });
      input.dataset.bound = which;
      return h("label", { for: input.id }, h("span", { say: key }), " ", input);
    };
    row.append(h("fieldset", {}, h("legend", {}, one.name), h("div", { class: "line" },
      bound("least", "search.from", one.least), bound("most", "search.to", one.most))));
  } else if (one.values?.length) {
    const select = h("select", { id }, h("option", { value: "", say: "search.any" }),
      ...one.values.map((value, number) => h("option", { value: number + 1 }, String(value))));
    select.meanings = one.values;
    row.append(h("label", { for: id }, one.name), select);
  } else row.append(h("label", { for: id }, one.name), h("input", { id, type: "text", autocomplete: "off" }));
  return row;
}

/** What the filters say, as the server wants it; only those that are filled in. */
function where() {
  const found = {};
  for (const row of filters.querySelectorAll(".filter")) {
    const select = row.querySelector("select");
    const bounds = [...row.querySelectorAll("[data-bound]")].filter((one) => one.value !== "");
    const typed = row.querySelector("input:not([data-bound])");
    if (select?.value) found[row.dataset.field] = select.meanings[Number(select.value) - 1];
    if (typed?.value.trim()) found[row.dataset.field] = typed.value.trim();
    for (const one of bounds)
      (found[row.dataset.field] ??= {})[one.dataset.bound === "least" ? ">=" : "<="] = Number(one.value);
  }
  return found;
}

async function search() {
  const sentence = text.value.trim();
  if (!sentence && !field.photo) return refuse("search.needs", [], text);
  const request = { without: without.value.split(/[,、，]/).map((one) => one.trim()).filter(Boolean), where: where() };
  if (sentence) request.text = sentence;
  await find(field.photo, request, ["search.found"]);
}

/** Photos like one of the collection. */
export const similarTo = (photo) => {
  text.value = "";
  field.set(photo, true);
  return find(photo, { where: where() }, ["search.similar", photo.captions?.[0] ?? shortName(photo.key)]);
};

async function find(photo, request, [title, ...args]) {
  await working(panel.querySelector("form .main"), async () => {
    const answer = await postAbout("/api/search", photo, { ...request, top: PAGE, offset: 0 });
    asked = { photo, request };
    photos = [];
    grid.replaceChildren();
    results.hidden = false;
    const heading = results.querySelector(".found");
    show(answer);
    if (!photos.length) say(heading, "search.none");
    else say(heading, title, args.length ? args : [photos.length]);
    asked.counts = !args.length;
    warnOfFit(answer);
    announce(heading.textContent);
    heading.focus({ preventScroll: true });
    results.scrollIntoView({ block: "start" });
  });
}

async function nextPage() {
  await working(more, async () => {
    const first = photos.length;
    show(await postAbout("/api/search", asked.photo, { ...asked.request, top: PAGE, offset: first }));
    if (asked.counts) say(results.querySelector(".found"), "search.found", [photos.length]);
    announce(words("search.found", photos.length));
    grid.children[first]?.querySelector("button").focus();
  });
}

/** Honest words when the best photo found does not fit the sentence, or may not. */
function warnOfFit(answer) {
  const notice = results.querySelector(".notice");
  const lines = { mismatch: ["search.weak", "search.weakMore"], ask: ["search.unsure"] }[answer.fits] ?? [];
  notice.hidden = !photos.length || !lines.length;
  notice.replaceChildren(...lines.map((key) => h("p", { say: key })));
}

function show(answer) {
  const first = photos.length;
  photos.push(...answer.matches);
  grid.append(...answer.matches.map((photo, number) => card(photo, first + number)));
  more.hidden = !answer.more;
}

function card(photo, place) {
  const name = photo.captions?.[0] ?? shortName(photo.key);
  const steps = { similar: similarTo, check: checkPhoto, deleted: about.writable ? forget : null };
  const open = () => view(photos, place, steps);
  const large = h("button", { type: "button", class: "thumb", onclick: open }, picture(photo));
  say(large, "card.enlarge", [name], "label");
  return h("li", { class: "photo" }, large, h("p", { class: "name", title: photo.key }, shortName(photo.key)),
    h("p", { class: "steps" },
      button("card.similar", () => similarTo(photo), { kind: "quiet", label: ["card.similarTo", [name]] }),
      button("card.check", () => checkPhoto(photo), { kind: "quiet", label: ["card.checkOf", [name]] })));
}

/** A photo was deleted: it leaves the grid. */
function forget(photo) {
  const place = photos.indexOf(photo);
  photos.splice(place, 1);
  grid.replaceChildren(...photos.map(card));
  (grid.children[Math.min(place, photos.length - 1)]?.querySelector("button") ?? text).focus();
  showProblem(null);
}
