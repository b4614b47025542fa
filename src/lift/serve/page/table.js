// The tab "Check a table": send a table, watch the work, read the first rows, download the whole.
import { announce, english, h, refuse, sentences, shortName, showProblem, working } from "./elements.js";
import { say, words } from "./language.js";
import { droppable, megabytes } from "./photofield.js";
import { get, remove, send } from "./server.js";
import { SIGNS } from "./verdicts.js";

const PREVIEW = 20;
const EARLIER = 5;
const PAUSE_MS = 700;
const EARLIER_PAUSE_MS = 1500;
const panel = document.getElementById("table");
const file = document.getElementById("table-file");
const zip = document.getElementById("table-zip");
const ask = document.getElementById("table-ask");
const progress = panel.querySelector(".progress");
const bar = progress.querySelector("progress");
const state = document.getElementById("table-state");
const results = panel.querySelector(".results");
let about = null;
let job = null; // number of the job that is being watched
let timer = 0;
let queueChanged = () => {};

export function startTable(steps) {
  queueChanged = steps.queueChanged;
  panel.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    checkTable();
  });
  panel.querySelector(".stop").addEventListener("click", stop);
  for (const input of [file, zip]) {
    input.addEventListener("change", () => showName(input));
    droppable(input.closest("fieldset"), (files) => {
      const taken = new DataTransfer();
      taken.items.add(files[0]);
      input.files = taken.files;
      showName(input);
    });
  }
}

export function aboutTable(given) {
  about = given;
  const { table_bytes: bytes, table_rows: rows, upload_bytes: upload } = about.limits;
  say(document.getElementById("table-file-hint"), "table.fileHint", [megabytes(bytes), rows]);
  say(document.getElementById("table-zip-hint"), "table.zipHint", [megabytes(upload ?? bytes)]);
  panel.querySelector(".closed").hidden = about.calibrated;
  panel.querySelector("form").hidden = !about.calibrated;
  if (about.calibrated) follow();
}

function showName(input) {
  const name = input.files[0]?.name ?? "";
  document.getElementById(`${input.id}-name`).textContent = name;
  announce(name);
}

async function checkTable() {
  if (!file.files.length) return refuse("table.needs", [], file);
  for (const [input, most] of [[file, about.limits.table_bytes], [zip, about.limits.upload_bytes]]) {
    const one = input.files[0];
    if (one && one.size > most) return refuse("table.tooLarge", [one.name, megabytes(most)], input);
  }
  const form = new FormData();
  form.append("table", file.files[0]);
  if (zip.files.length) form.append("photos", zip.files[0]);
  if (ask.checked) form.append("ask", "true");
  results.hidden = true;
  await working(panel.querySelector("form .main"), async () => {
    try {
      showState(0, "table.sending", 0);
      job = (await send("/api/tables", form, (share) => showState(share, "table.sending", Math.round(100 * share)))).id;
      await watch(job);
    } finally {
      progress.hidden = true;
      job = null;
    }
  });
}

function showState(share, key, ...args) {
  progress.hidden = false;
  panel.querySelector(".stop").hidden = job === null;
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
  say(state, key, args);
}

/** How far a job is that is not done, as [key, arguments]. */
function stateOf({ state: now, done, total }) {
  if (now === "waiting") return ["table.waiting", []];
  return total ? ["table.checking", [done, total]] : ["table.reading", []];
}

/** Follows a job until it is done, failed, or stopped here. */
async function watch(number) {
  while (job === number) {
    const now = await get(addressOf(number));
    if (job !== number) return;
    if (now.state === "done") return showResults(now);
    if (now.state === "failed") {
      showProblem({ error: now.error, remedy: now.remedy });
      return;
    }
    const [key, args] = stateOf(now);
    showState(args.length ? now.done / now.total : null, key, ...args);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function stop() {
  const stopped = job;
  job = null;
  progress.hidden = true;
  await working(null, () => remove(addressOf(stopped)));
  announce(words("table.stopped"));
}

const addressOf = (number) => `/api/tables/${encodeURIComponent(number)}`;
const downloadOf = (number, kind, key, look) =>
  h("a", { class: look, href: `${addressOf(number)}/result?format=${kind}`, download: "", say: key });

async function showResults(done) {
  const { rows } = await get(`${addressOf(done.id)}/rows?top=${PREVIEW}`);
  const heading = h("h3", { tabindex: "-1", say: ["table.done", [done.total]] });
  results.replaceChildren(heading, countsList(done.counts),
    h("p", { class: "actions" },
      downloadOf(done.id, "xlsx", "table.excel", "button main"), downloadOf(done.id, "csv", "table.csv", "button")),
    ...asideList(rows.filter((row) => !row.decision), done.counts),
    ...rowsTable(rows.filter((row) => row.decision), !zip.files.length));
  results.hidden = false;
  announce(heading.textContent);
  heading.focus({ preventScroll: true });
  results.scrollIntoView({ block: "start" });
  queueChanged();
  follow();
}

function countsList(counts) {
  return h("ul", { class: "counts" }, ...Object.keys(SIGNS).map((decision) => h("li", { class: decision },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[decision]),
    h("span", { say: `check.${decision}` }), h("strong", {}, String(counts[decision])))));
}

/** The first rows; small photos are shown where they are those of the collection. */
function rowsTable(rows, pictured) {
  if (!rows.length) return [];
  const columns = ["table.photo", "table.text", "table.verdict", "table.words"];
  const body = rows.map((row) => h("tr", {},
    h("td", {}, pictured && thumbnail(row.photo), h("span", { class: "name", title: row.photo }, shortName(row.photo))),
    h("td", {}, row.sentence),
    h("td", { class: row.decision }, h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[row.decision]), " ",
      h("span", { say: `check.${row.decision}` })),
    h("td", {}, row.decision === "match" ? "" : row.words.split(", ")[0])));  // the first one is the most doubtful
  return [h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "preview" },
    h("table", {}, h("caption", { id: "preview", say: ["table.preview", [rows.length]] }),
      h("thead", {}, h("tr", {}, ...columns.map((key) => h("th", { scope: "col", say: key })))),
      h("tbody", {}, ...body)))];
}

const thumbnail = (key) =>
  h("img", { src: `/api/photo/thumbnail?key=${encodeURIComponent(key)}&size=128`, alt: "", loading: "lazy" });

function asideList(rows, counts) {
  if (!counts.set_aside) return [];
  const items = rows.map((row) => h("li", {}, h("span", { say: ["table.row", [row.row]] }), `: ${row.photo} – `,
    english(sentences(row.note))));
  return [h("h4", { say: ["table.setAside", [counts.set_aside]] }), h("ul", { class: "aside" }, ...items)];
}

/** Tables sent before, also by an earlier visit: how far they are, and their results. */
async function showEarlier() {
  const { jobs } = await get("/api/tables");
  const isEnded = (one) => one.state === "done" || one.state === "failed";
  const shown = jobs.filter((one) => isEnded(one) || one.id !== job).slice(0, EARLIER);
  const list = panel.querySelector(".earlier");
  list.hidden = !shown.length;
  if (!list.contains(document.activeElement)) list.querySelector("ul").replaceChildren(...shown.map(earlierItem));
  clearTimeout(timer);
  if (!shown.every(isEnded)) timer = setTimeout(follow, EARLIER_PAUSE_MS);
}

function earlierItem(one) {
  const state = one.state === "failed" ? "table.failed" : stateOf(one);
  return h("li", {}, h("span", { class: "name" }, one.name),
    h("span", { class: "hint", say: ["table.at", [new Date(one.made)]] }),
    ...(one.state === "done"
      ? [downloadOf(one.id, "xlsx", "table.excel"), downloadOf(one.id, "csv", "table.csv")]
      : [h("span", { say: state })]));
}

/** Shows the earlier tables again; a server that is away for a moment is asked once more. */
async function follow() {
  try {
    await showEarlier();
  } catch (error) {
    if (!error.problem) throw error;
    if (error.status !== 401) timer = setTimeout(follow, EARLIER_PAUSE_MS);
  }
}
