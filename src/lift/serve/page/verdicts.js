// A verdict in words, colour and sign; the doubtful words marked in their sentence; and what the verdicts promise.
import { h } from "./elements.js";
import { language } from "./language.js";

export const SIGNS = { match: "✓", mismatch: "✗", ask: "?" };
const MARKED = 2; // more marks than that no longer point at anything

/** "✓ Matches": the sign is for the eye, the words for everybody. */
export function decisionLine(decision) {
  return h("p", { class: `decision ${decision}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[decision]), h("strong", { say: `check.${decision}` }));
}

/** The parts of a sentence to mark, in reading order: the most doubtful ones that do not overlap. */
export function marks(suspicious) {
  const taken = [];
  for (const one of suspicious)
    if (taken.length < MARKED && taken.every((other) => one.end <= other.start || other.end <= one.start)) taken.push(one);
  return taken.sort((one, other) => one.start - other.start);
}

/** The sentence as nodes, with <mark> around doubtful parts. Positions count code points. */
export function markedSentence(sentence, suspicious) {
  const letters = Array.from(sentence);
  const nodes = [];
  let place = 0;
  for (const { start, end } of marks(suspicious)) {
    nodes.push(letters.slice(place, start).join(""));
    const warning = h("span", { class: "unseen", say: "check.suspicious" });
    nodes.push(h("mark", {}, warning, letters.slice(start, end).join("")));
    place = end;
  }
  nodes.push(letters.slice(place).join(""));
  return nodes.filter((node) => node !== "");
}

/** How much in 100, with as many digits as a reader needs. */
export function percent(share) {
  return share > 0 && share < 0.01 ? "< 1" : share > 0.99 && share < 1 ? "> 99" : String(Math.round(share * 100));
}

/** What the verdicts promise, as paragraphs: the server's own words where it has them, else its numbers in words. */
export function promiseWords(promises) {
  if (!promises) return [];
  const own = promises.words?.[language()];
  if (own) return [own].flat().map((sentence) => h("p", {}, sentence));
  const lines = [["promise.kind", []]];
  if (promises.missed !== undefined) lines.unshift(["promise.missed", [percent(promises.missed)]]);
  if (promises.false_alarm !== undefined) lines.unshift(["promise.false", [percent(promises.false_alarm)]]);
  return lines.map(([key, args]) => h("p", { say: [key, args] }));
}
