// The tab "Ask a person": one undecided case after the other, answered by buttons or keys, with a way back.
import { announce, h, working } from "./elements.js";
import { say, whenLanguageChanges, words } from "./language.js";
import { get, post, remove } from "./server.js";
import { doubtful, markedSentence } from "./verdicts.js";

const FETCHED = 20;
const panel = document.getElementById("ask");
const badge = document.getElementById("waiting");
const box = panel.querySelector(".question");
const empty = panel.querySelector(".empty");
const undoButton = panel.querySelector(".undo");
let cases = []; // what is waiting and known here, the first one is shown
let putOff = new Set(); // numbers of cases for later
let waiting = 0;
let given = []; // answers that can be taken back: {feedback, question}
let busy = false;

export function startAsk() {
  panel.querySelector(".yes").addEventListener("click", () => answer("yes"));
  panel.querySelector(".no").addEventListener("click", () => answer("no"));
  panel.querySelector(".skip-question").addEventListener("click", later);
  panel.querySelector(".refresh").addEventListener("click", () => refresh());
  undoButton.addEventListener("click", undo);
  document.addEventListener("keydown", onKey);
  whenLanguageChanges(showCount);
}

/** What was put off comes last. */
const inOrder = (questions) => [...questions].sort((one, other) => putOff.has(one.id) - putOff.has(other.id));

/** Asks the server what is waiting; `quietly`: only the number in the tab changes, and no failure is shown. */
export async function refresh(quietly = false) {
  const work = async () => {
    const answer = await get(`/api/queue?limit=${FETCHED}`);
    waiting = answer.waiting;
    const shown = cases[0]?.id;
    cases = inOrder(answer.questions);
    if (cases[0]?.id !== shown || !cases.length) show();
    showCount();
  };
  if (!quietly) return working(panel.querySelector(".refresh"), work);
  try {
    await work();
  } catch (error) {
    if (!error.problem) throw error;
  }
}

const KEYS = {
  y: () => answer("yes"), ArrowRight: () => answer("yes"),
  n: () => answer("no"), ArrowLeft: () => answer("no"),
  l: later, u: undo,
};

function onKey(event) {
  const elsewhere = event.target.closest("[role=tablist], input, select, textarea, dialog");
  if (panel.hidden || elsewhere || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!step) return;
  event.preventDefault();
  step();
}

async function once(control, work) {
  if (busy) return;
  busy = true;
  try {
    await working(control, work);
  } finally {
    busy = false;
  }
}

function answer(value) {
  const question = cases[0];
  if (!question || box.hidden) return undefined;
  return once(panel.querySelector(`.${value}`), async () => {
    try {
      const kept = await post("/api/feedback", { question: question.id, answer: value });
      given.push({ feedback: kept.id, question });
      waiting = kept.waiting;
      await next(value === "yes" ? "ask.savedYes" : "ask.savedNo");
    } catch (error) {
      if (error.status !== 409 && error.status !== 404) throw error;
      cases = [question]; // somebody else answers as well: what waits is asked anew
      await next("ask.other");
    }
  });
}

async function next(said) {
  cases.shift();
  if (!cases.length && waiting > 0) {
    const answer = await get(`/api/queue?limit=${FETCHED}`);
    cases = inOrder(answer.questions);
    waiting = answer.waiting;
  }
  show(said);
}

function later() {
  if (cases.length < 2 || busy) return;
  putOff.add(cases[0].id);
  cases.push(cases.shift());
  show("ask.skipped");
}

function undo() {
  if (!given.length) return undefined;
  return once(undoButton, async () => {
    const last = given.at(-1);
    await remove(`/api/feedback/${last.feedback}`);
    given.pop();
    waiting += 1;
    cases.unshift(last.question);
    show("ask.undone");
  });
}

function showCount() {
  badge.hidden = waiting === 0;
  badge.textContent = waiting > 99 ? "99+" : String(waiting);
  say(badge, "ask.left", [waiting], "label");
  say(panel.querySelector(".left"), "ask.left", [waiting]);
}

/** Shows the first case; `said`: the key of what has just been done, read out before it. */
function show(said = null) {
  const question = cases[0];
  showCount();
  box.hidden = !question;
  empty.hidden = Boolean(question);
  undoButton.hidden = !given.length;
  panel.querySelector(".skip-question").hidden = cases.length < 2;
  const before = said ? `${words(said)} ` : "";
  if (!question) {
    if (said) {
      announce(before + words("ask.empty"));
      panel.querySelector(".refresh").focus();
    }
    return;
  }
  const image = say(h("img", { src: question.photo }), "ask.photoOf", [], "alt");
  panel.querySelector(".picture").replaceChildren(image);
  const suspicious = question.suspicious ?? [];
  panel.querySelector(".sentence").replaceChildren(...markedSentence(question.sentence, suspicious));
  panel.querySelector(".words").hidden = !doubtful(suspicious);
  if (cases[1]) new Image().src = cases[1].photo; // the next photo is there when it is needed
  if (said) announce(before + words("ask.next", question.sentence, words("ask.left", waiting)));
}
