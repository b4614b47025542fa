// The tab "Check a description": is it true of the photo, which words are doubtful, which place of the photo is meant?
import { announce, button, h, refuse, working } from "./elements.js";
import { warnOfForeign } from "./foreign.js";
import { say, words } from "./language.js";
import { addressOf, photoField } from "./photofield.js";
import { pictureAbout, postAbout } from "./server.js";
import { decisionLine, doubtful, markedSentence, percent, promiseOf } from "./verdicts.js";

const panel = document.getElementById("check");
const place = panel.querySelector(".sentences");
const results = panel.querySelector(".results");
const promise = panel.querySelector(".promise");
let field = null;
let about = null;
let queueChanged = () => {};
let shownFiles = []; // addresses of the photo and its heat maps, freed at the next check

export function startCheck(steps) {
  queueChanged = steps.queueChanged;
  field = photoField(panel.querySelector(".photo-field"));
  panel.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  panel.querySelector(".another").addEventListener("click", () => addSentence().focus());
}

export function aboutCheck(given) {
  about = given;
  field.showLimits();
  panel.querySelector(".compare").hidden = about.calibrated;
  say(panel.querySelector(".lead"), about.calibrated ? "check.lead" : "check.leadCompare");
  while (inputs().length < (about.calibrated ? 1 : 2)) addSentence();
  promise.hidden = about.promises?.confidence === undefined;
  if (!promise.hidden) say(promise, "promise.sure", [percent(about.promises.confidence)]);
}

/** Takes a photo over from another tab. */
export function checkOf(photo) {
  field.set(photo, true);
  results.hidden = true;
  inputs()[0].focus();
}

const inputs = () => [...place.querySelectorAll("input")];

function addSentence() {
  const id = `sentence-${Date.now()}-${inputs().length}`;
  const input = h("input", { id, type: "text", autocomplete: "off", maxlength: about.limits.sentence_length });
  const away = button("app.close", () => {
    row.remove();
    numberSentences();
    inputs().at(-1).focus();
  }, { kind: "quiet away" });
  const row = h("div", { class: "sentence-row" }, h("label", { for: id }), h("div", { class: "line" }, input, away));
  place.append(row);
  warnOfForeign(panel.querySelector("form"), [input], about.languages, "check.example");
  numberSentences();
  return input;
}

function numberSentences() {
  const rows = [...place.children];
  rows.forEach((row, number) => {
    const away = row.querySelector(".away");
    if (rows.length === 1) say(row.querySelector("label"), "check.text");
    else say(row.querySelector("label"), "check.textN", [number + 1]);
    away.hidden = rows.length <= (about.calibrated ? 1 : 2);
    away.textContent = "✕";
    delete away.dataset.text;
    say(away, "check.removeText", [number + 1], "label");
  });
  panel.querySelector(".another").hidden = rows.length >= Math.min(10, about.limits.sentences ?? 10);
}

async function check() {
  const sentences = inputs().map((input) => input.value.trim()).filter(Boolean);
  if (!field.photo) return refuse("check.needsPhoto", [], field);
  if (!sentences.length) return refuse("check.needsText", [], inputs()[0]);
  if (!about.calibrated && sentences.length < 2)
    return refuse("check.needsTwo", [], inputs().find((input) => !input.value.trim()));
  const photo = field.photo;
  await working(panel.querySelector("form .main"), async () => {
    const answer = await postAbout("/api/verify", photo, { sentences });
    showAnswer(photo, answer);
  });
}

function showAnswer(photo, { verdicts, calibrated }) {
  for (const one of shownFiles.splice(0)) URL.revokeObjectURL(one);
  const address = addressOf(photo); // not what the field holds by now
  shownFiles.push(address);
  const image = h("img", { src: address, alt: "" });
  const figure = h("figure", { class: "under" }, image);
  image.addEventListener("error", () => image.remove());
  panel.querySelector(".shown").replaceChildren(figure);
  const shown = calibrated ? verdicts : [...verdicts].sort((one, other) => other.cosine - one.cosine);
  const list = panel.querySelector(".verdicts");
  list.replaceChildren(...shown.map((one, rank) => verdictItem(photo, one, rank, figure)));
  if (!calibrated) list.append(h("li", { class: "hint" }, h("p", { say: "check.caution" })));
  results.hidden = false;
  const heading = results.querySelector(".found");
  heading.focus({ preventScroll: true });
  results.scrollIntoView({ block: "start" });
  announce(calibrated
    ? shown.map((one) => `${one.sentence}: ${words(`check.${one.decision}`)}`).join(". ")
    : `${words("check.best")}: ${shown[0].sentence}`);
}

function verdictItem(photo, verdict, rank, figure) {
  const judged = verdict.decision !== null;
  const suspicious = judged && verdict.decision !== "match" ? verdict.suspicious : [];
  const item = h("li", { class: `verdict ${verdict.decision ?? (rank ? "compared" : "compared best")}` });
  if (judged) item.append(decisionLine(verdict.decision));
  else item.append(h("p", { class: "decision" }, h("span", { class: "sign", "aria-hidden": "true" }, String(rank + 1)),
    rank ? h("strong", { say: ["check.rank", [rank + 1]] }) : h("strong", { say: "check.best" })));
  item.append(h("p", { class: "sentence" }, ...markedSentence(verdict.sentence, suspicious)));
  if (doubtful(suspicious)) item.append(h("p", { class: "hint", say: "check.words" }));
  if (verdict.decision === "ask") item.append(h("p", { say: "check.askMeans" }));
  const promised = judged && promiseOf(verdict.decision, about.promises);
  if (promised) item.append(promised);
  if (verdict.probability !== null)
    item.append(h("p", { class: "hint", say: ["check.probability", [percent(verdict.probability)]] }));
  if (!judged && verdict.background)
    item.append(h("p", { class: "hint", say: ["check.beaten", [verdict.beaten, verdict.background]] }));
  if (verdict.place) item.append(mapSwitch(photo, verdict.sentence, figure));
  item.append(decide(photo, verdict));
  return item;
}

/** A switch that lays over the photo where it has to do with the sentence; one map at a time. */
function mapSwitch(photo, sentence, figure) {
  const input = h("input", { type: "checkbox", role: "switch", class: "map" });
  let address = null;
  input.addEventListener("change", async () => {
    figure.querySelector(".over")?.remove();
    for (const other of panel.querySelectorAll("input.map")) if (other !== input) other.checked = false;
    if (!input.checked) return;
    address ??= await working(null, () => pictureAbout("/api/heatmap", photo, { sentence }));
    if (!address) input.checked = false;
    else if (input.checked) {
      shownFiles.push(address);
      figure.append(h("img", { class: "over", src: address, alt: "" }));
      announce(words("check.mapHint"));
    }
  });
  return h("label", { class: "tick" }, input, " ", h("span", { say: "check.map" }),
    h("span", { class: "hint", say: "check.mapHint" }));
}

/** What a person says to a verdict is kept; an unclear one can be left to somebody else. */
function decide(photo, verdict) {
  const place = h("div", { class: "decide" });
  const answer = (value) => (event) =>
    working(event.currentTarget, async () => {
      await postAbout("/api/feedback", photo, { sentence: verdict.sentence, answer: value });
      place.replaceChildren(h("p", { role: "status", say: "check.thanks" }));
      announce(words("check.thanks"));
    });
  const later = (event) =>
    working(event.currentTarget, async () => {
      await postAbout("/api/verify", photo, { sentences: [verdict.sentence], words: true, ask: true });
      place.replaceChildren(h("p", { say: "check.queued" }));
      announce(words("check.queued"));
      queueChanged();
    });
  place.append(h("span", { class: "hint", say: "check.decide" }), " ",
    button("check.yes", answer("yes"), { kind: "small" }), button("check.no", answer("no"), { kind: "small" }));
  if (verdict.decision === "ask") place.append(button("check.later", later, { kind: "small" }));
  return place;
}
