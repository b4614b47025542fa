// Words on the page: which language, and every element that says something says it again when the language changes.
import { english } from "./english.js";
import { japanese } from "./japanese.js";

const TEXTS = { en: english, ja: japanese };
const PLACES = { text: null, label: "aria-label", placeholder: "placeholder", alt: "alt", legend: null };
const numbers = new WeakMap(); // element -> {place: arguments of its text}
const listeners = [];
let current = "en";

export const language = () => current;
export const whenLanguageChanges = (listener) => listeners.push(listener);

/** The text of a key in the current language. An argument that is {key, args} is a text itself. */
export function words(key, ...args) {
  const text = TEXTS[current][key];
  if (text === undefined) throw new Error(`no text ${key}`);
  const said = args.map((one) => (one?.key ? words(one.key, ...(one.args ?? [])) : one));
  return typeof text === "function" ? text(...said) : text;
}

/** Lets an element say a text, now and in every language chosen later; place "text" or an attribute's short name. */
export function say(element, key, args = [], place = "text") {
  element.dataset[place] = key;
  numbers.set(element, { ...numbers.get(element), [place]: args });
  speak(element, place);
  return element;
}

function speak(element, place) {
  const text = words(element.dataset[place], ...(numbers.get(element)?.[place] ?? []));
  if (place === "text") element.textContent = text;
  else if (PLACES[place]) element.setAttribute(PLACES[place], text);
}

function speakAll(root = document) {
  for (const place of Object.keys(PLACES))
    for (const element of root.querySelectorAll(`[data-${place}]`)) speak(element, place);
}

export function setLanguage(name) {
  current = name in TEXTS ? name : "en";
  document.documentElement.lang = current;
  document.title = words("app.title");
  speakAll();
  for (const listener of listeners) listener(current);
}

/** The remembered language, else the browser's first one that the page speaks, else English. */
export function firstLanguage() {
  const wished = [recall("language"), ...(navigator.languages ?? [navigator.language])];
  return wished.map((one) => one?.slice(0, 2)).find((one) => one in TEXTS) ?? "en";
}

/** What this browser remembers of an earlier visit; null where it may not remember. */
export function recall(name) {
  try {
    return localStorage.getItem(`lift.${name}`);
  } catch (error) {
    if (error instanceof DOMException) return null; // storage is switched off
    throw error;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`lift.${name}`, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
