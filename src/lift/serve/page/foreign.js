// Honest words about languages: the texts of a collection may have been made for English only.
import { say } from "./language.js";

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/;

/** Sets the examples in `inputs` to a language that is understood, and warns below `form` of words that are not. */
export function warnOfForeign(form, inputs, known, example) {
  const english = Boolean(known) && !known.includes("ja");
  for (const input of inputs) say(input, english ? `${example}English` : example, [], "placeholder");
  const place = form.querySelector(".foreign");
  const look = () => {
    const typed = [...form.querySelectorAll("input[type=text], input[type=search], textarea")];
    place.hidden = !english || !typed.some((input) => JAPANESE.test(input.value));
    const understood = { key: known?.includes("en") ? "app.onlyEnglish" : "app.onlyOthers" };
    if (!place.hidden) say(place, "app.foreign", [understood]);
  };
  if (!form.dataset.watched) form.addEventListener("input", look);
  form.dataset.watched = "yes";
  look();
}
