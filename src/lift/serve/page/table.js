// The tab "Check a table": send a table, watch the work, read the first rows, download the whole.
import { announce, h, refuse, shortName, showProblem, working } from "./elements.js";
import { say, words } from "./language.js";
import { droppable, megabytes } from "./photofield.js";
import { get, remove, send } from "./server.js";
import { markedSentence, SIGNS } from "./verdicts.js";

const PREVIEW = 20;
const PAUSE_MS = 700;
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
  say(panel.querySelector(".lead"), about.calibrated ? "table.lead" : "table.leadCompare");
  ask.closest("label").hidden = !about.calibrated;
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
  if (about.calibrated && ask.checked) form.append("ask", "true");
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

/** Follows a job until it is done, failed, or stopped here. */
async function watch(number) {
  while (job === number) {
    const now = await get(`/api/tables/${encodeURIComponent(number)}`);
    if (job !== number) return;
    if (now.state === "done") return showResults(now);
    if (now.state === "failed") {
      showProblem({ error: now.error, remedy: now.remedy });
      return;
    }
    if (now.state === "waiting") showState(null, "table.waiting");
    else if (!now.total) showState(null, "table.reading");
    else showState(now.done / now.total, "table.checking", now.done, now.total);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function stop() {
  const stopped = job;
  job = null;
  progress.hidden = true;
  await working(null, () => remove(`/api/tables/${encodeURIComponent(stopped)}`));
  announce(words("table.stopped"));
}

async function showResults(done) {
  const address = `/api/tables/${encodeURIComponent(done.id)}`;
  const preview = await get(`${address}/rows?top=${PREVIEW}`);
  const heading = h("h3", { tabindex: "-1", say: ["table.done", [done.total]] });
  const download = (kind, key) => h("a", { class: "button main", href: `${address}/result?format=${kind}`, download: "", say: key });
  results.replaceChildren(heading, countsList(done.counts),
    h("p", { class: "actions" }, download("xlsx", "table.excel"), download("csv", "table.csv")),
    ...rowsTable(preview.rows.filter((row) => !row.reason)), ...asideList(preview.rows.filter((row) => row.reason), done.counts));
  results.hidden = false;
  announce(heading.textContent);
  heading.focus({ preventScroll: true });
  results.scrollIntoView({ block: "start" });
  queueChanged();
}

function countsList(counts) {
  const shown = Object.keys(SIGNS).filter((decision) => about.calibrated || counts[decision]);
  return h("ul", { class: "counts" }, ...shown.map((decision) => h("li", { class: decision },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[decision]),
    h("span", { say: `check.${decision}` }), h("strong", {}, String(counts[decision])))));
}

function rowsTable(rows) {
  if (!rows.length) return [];
  const judged = rows.some((row) => row.decision);
  const columns = ["table.photo", "table.text", judged ? "table.verdict" : "table.place"];
  const body = rows.map((row) => h("tr", {},
    h("td", {}, row.thumbnail ? h("img", { src: row.thumbnail, alt: "", loading: "lazy" }) : null,
      h("span", { class: "name", title: row.photo }, shortName(row.photo))),
    h("td", {}, ...markedSentence(row.sentence, row.decision === "mismatch" || row.decision === "ask" ? row.suspicious : [])),
    h("td", { class: row.decision ?? "" }, ...verdictCell(row))));
  return [h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "preview" },
    h("table", {}, h("caption", { id: "preview", say: ["table.preview", [rows.length]] }),
      h("thead", {}, h("tr", {}, ...columns.map((key) => h("th", { scope: "col", say: key })))), h("tbody", {}, ...body)))];
}

function verdictCell(row) {
  if (row.decision)
    return [h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[row.decision]), " ", h("span", { say: `check.${row.decision}` })];
  return row.background ? [h("span", { say: ["check.beaten", [row.beaten, row.background]] })] : ["–"];
}

function asideList(rows, counts) {
  if (!counts.set_aside) return [];
  const items = rows.map((row) => h("li", {}, h("span", { say: ["table.row", [row.row]] }), ": ",
    h("span", { lang: "en" }, [row.reason, row.remedy].filter(Boolean).join(". "))));
  return [h("h4", { say: ["table.setAside", [counts.set_aside]] }), h("ul", { class: "aside" }, ...items)];
}
