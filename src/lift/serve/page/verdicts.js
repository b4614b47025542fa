// A verdict in words, colour and sign; the doubtful words marked in their sentence; and what the verdicts promise.
import { h } from "./elements.js";

export const SIGNS = { match: "✓", mismatch: "✗", ask: "?" };

/** "✓ Matches": the sign is for the eye, the words for everybody. */
export function decisionLine(decision) {
  return h("p", { class: `decision ${decision}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[decision]), h("strong", { say: `check.${decision}` }));
}

/** The part of a sentence to mark, or null: the most doubtful one alone, for only that was proved; never the whole. */
export const doubtful = (suspicious) => (suspicious.length > 1 ? suspicious[0] : null);

/** The sentence as nodes, with <mark> around its doubtful part. Positions count code points. */
export function markedSentence(sentence, suspicious) {
  const part = doubtful(suspicious);
  if (!part) return [sentence];
  const letters = Array.from(sentence);
  const between = (start, end) => letters.slice(start, end).join("");
  const warning = h("span", { class: "unseen", say: "check.suspicious" });
  const marked = h("mark", {}, warning, between(part.start, part.end));
  return [between(0, part.start), marked, between(part.end)].filter((node) => node !== "");
}

/** How much in 100, with as many digits as a reader needs. */
export function percent(share) {
  return share > 0 && share < 0.01 ? "< 1" : share > 0.99 && share < 1 ? "> 99" : String(Math.round(share * 100));
}

/** How often a verdict of this kind may be wrong, as a paragraph; null where nothing is promised. */
export function promiseOf(decision, promises) {
  const share = { match: promises?.missed, mismatch: promises?.false_alarm }[decision];
  return share === undefined ? null : h("p", { class: "hint", say: [`promise.${decision}`, [percent(share)]] });
}
