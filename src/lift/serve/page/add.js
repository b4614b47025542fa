// The tab "Add photos": several files at once, sent one after the other, each with its progress and its outcome.
import { announce, english, h, sentences, showProblem } from "./elements.js";
import { say } from "./language.js";
import { droppable, megabytes, pasteable } from "./photofield.js";
import { send } from "./server.js";

const RETRIES = { 429: 20, 503: 20, 0: 5 }; // how often a busy server, or one that is away, is asked again
const AWAY_SECONDS = 3;
const panel = document.getElementById("add");
const input = document.getElementById("add-files");
const caption = document.getElementById("add-caption");
const results = panel.querySelector(".results");
const list = panel.querySelector(".files");
const bar = panel.querySelector("progress");
let about = null;
let changed = () => {};
const queue = []; // {file, row, caption} still to be sent
let sent = { all: 0, done: 0, added: 0, aside: 0 };
let running = false;
let resume = () => {}; // goes on when somebody has signed in again

export function startAdd(steps) {
  changed = steps.photosChanged;
  panel.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  droppable(panel.querySelector(".drop"), take);
  window.addEventListener("beforeunload", (event) => running && event.preventDefault()); // photos that still wait
  pasteable(panel, take);
}

export function aboutAdd(given) {
  about = given;
  resume();
  const { photo_bytes: bytes, photo_pixels: pixels } = about.limits;
  say(document.getElementById("add-limit"), "add.limit", [megabytes(bytes), Math.floor(pixels / 1e6)]);
  panel.querySelector(".closed").hidden = about.writable;
  panel.querySelector("form").hidden = !about.writable;
}

function take(files) {
  if (!about.writable) return;
  showProblem(null);
  results.hidden = false;
  if (!running) sent = { all: 0, done: 0, added: 0, aside: 0 };
  for (const file of files) {
    const row = h("li", {}, h("span", { class: "name" }, file.name), h("span", { class: "state", say: "add.waiting" }));
    list.prepend(row);
    sent.all += 1;
    if (file.size > about.limits.photo_bytes) {
      finish(row, failure({ title: "photo.tooLarge", args: [file.name, megabytes(about.limits.photo_bytes)] }));
    } else queue.push({ file, row, caption: caption.value.trim() });
  }
  if (!running) sendAll();
}

async function sendAll() {
  running = true;
  while (queue.length) {
    const one = queue.shift();
    showProgress();
    finish(one.row, await sendOne(one));
    if (sent.added % 10 === 1) changed();
  }
  running = false;
  showProgress();
  const heading = say(results.querySelector(".found"), "add.finished", [sent.added, sent.aside]);
  announce(heading.textContent);
  changed();
}

/** Sends one photo; a busy server is waited for, and so is signing in again. What the server refuses is a result like any other. */
async function sendOne({ file, row, caption: text }) {
  const state = row.querySelector(".state");
  const share = h("progress", { max: 1, "aria-label": file.name });
  for (let attempt = 0; ; attempt += 1) {
    const form = new FormData();
    form.append("photos", file, file.name);
    if (text) form.append("details", JSON.stringify({ [file.name]: { captions: [text] } }));
    say(state, "add.sending");
    state.after(share);
    try {
      const answer = await send("/api/photos", form, (part) => (share.value = part));
      return outcomeOf(answer.results[0]);
    } catch (error) {
      if (!error.problem) throw error;
      say(state, "add.waiting");
      if (error.status === 401) await new Promise((resolve) => (resume = resolve));
      else if (attempt >= (RETRIES[error.status] ?? 0)) return failure(error.problem);
      else await new Promise((resolve) => setTimeout(resolve, 1000 * (error.problem.args?.[0] ?? AWAY_SECONDS)));
    } finally {
      share.remove();
    }
  }
}

const OUTCOMES = {
  added: { sign: "✓", kind: "match", key: "add.added" },
  updated: { sign: "✓", kind: "match", key: "add.updated" },
  set_aside: { sign: "✗", kind: "mismatch", key: "add.aside" },
};

/** The outcome of a file: its state, texts of the page ([key, arguments]), and what the server said. */
const outcomeOf = ({ state, reason, remedy }) => ({ state, texts: [], said: sentences(reason, remedy) });
const failure = ({ title, remedyKey, args = [], error, remedy }) => ({
  state: "set_aside",
  texts: [title, remedyKey].filter(Boolean).map((one) => [one, args]),
  said: sentences(error, remedy),
});

function finish(row, { state, texts, said }) {
  const { sign, kind, key } = OUTCOMES[state];
  sent.done += 1;
  if (state === "set_aside") sent.aside += 1;
  else sent.added += 1;
  row.className = kind;
  row.prepend(h("span", { class: "sign", "aria-hidden": "true" }, sign));
  say(row.querySelector(".state"), key);
  const why = h("p", { class: "why" }, ...texts.flatMap((text) => [h("span", { say: text }), " "]), english(said));
  if (texts.length || said) row.append(why);
  showProgress();
}

function showProgress() {
  bar.value = sent.all ? sent.done / sent.all : 0;
  if (sent.done < sent.all) say(results.querySelector(".found"), "add.progress", [sent.done, sent.all]);
  else say(results.querySelector(".found"), "add.finished", [sent.added, sent.aside]);
}
