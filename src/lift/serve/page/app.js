// The page as a whole: language, brightness, signing in, and the tabs.
import { aboutAdd, startAdd } from "./add.js";
import { refresh, startAsk } from "./ask.js";
import { aboutCheck, checkOf, startCheck } from "./check.js";
import { aboutClasses, startClasses } from "./classes.js";
import { announce, refuse, showProblem, working } from "./elements.js";
import { firstLanguage, recall, remember, say, setLanguage, words } from "./language.js";
import { catchDrops, setLimits } from "./photofield.js";
import { aboutSearch, startSearch } from "./search.js";
import { get, post, whenSignedOut } from "./server.js";
import { aboutTable, startTable } from "./table.js";

const work = document.getElementById("work");
const login = document.getElementById("login");
const token = document.getElementById("token");
const signOut = document.getElementById("sign-out");
const tabs = [...document.querySelectorAll("[role=tab]")];

// --- tabs, as WAI-ARIA describes them: one stop for the Tab key, arrows go from tab to tab ---

function showTab(name, { focus = false, keep = true } = {}) {
  const chosen = tabs.find((tab) => tab.getAttribute("aria-controls") === name) ?? tabs[0];
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
  showProblem(null);
  if (focus) chosen.focus();
  const shown = chosen.getAttribute("aria-controls");
  // "#/name", not "#name": a panel's own id would make the browser jump into the panel
  if (keep && location.hash !== `#/${shown}`) history.pushState(null, "", `#/${shown}`);
  if (shown === "ask" && !work.hidden) refresh();
}

function onTabKey(event) {
  const place = tabs.indexOf(event.currentTarget);
  const steps = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const next = tabs[(steps[event.key] + tabs.length) % tabs.length];
  showTab(next.getAttribute("aria-controls"), { focus: true });
}

function startTabs() {
  for (const tab of tabs) {
    tab.addEventListener("click", () => showTab(tab.getAttribute("aria-controls")));
    tab.addEventListener("keydown", onTabKey);
  }
  const follow = () => showTab(location.hash.slice(2), { keep: false });
  window.addEventListener("popstate", follow);
  follow();
}

// --- language and brightness, remembered in this browser ---

function startSettings() {
  const languages = document.getElementById("language");
  languages.value = firstLanguage();
  languages.addEventListener("change", () => {
    remember("language", languages.value);
    setLanguage(languages.value);
  });
  const scheme = document.getElementById("scheme");
  scheme.value = recall("scheme") ?? "system";
  const paint = () => (document.documentElement.dataset.scheme = scheme.value);
  scheme.addEventListener("change", () => {
    remember("scheme", scheme.value);
    paint();
  });
  paint();
  setLanguage(languages.value);
}

// --- signing in, and what the server can do ---

async function loadAbout() {
  const about = await get("/api/about");
  setLimits(about.limits);
  say(document.getElementById("photos"), "app.photos", [about.photos]);
  for (const tell of [aboutSearch, aboutCheck, aboutTable, aboutClasses, aboutAdd]) tell(about);
}

async function open() {
  await loadAbout();
  login.hidden = true;
  work.hidden = false;
  await refresh(true);
}

function askForToken() {
  work.hidden = true;
  signOut.hidden = true;
  login.hidden = false;
  token.focus();
}

function startLogin() {
  login.addEventListener("submit", (event) => {
    event.preventDefault();
    working(login.querySelector(".main"), async () => {
      try {
        await post("/api/login", { token: token.value });
      } catch (error) {
        if (error.status !== 401) throw error;
        return refuse("login.wrong", [], token);
      }
      token.value = "";
      signOut.hidden = false;
      await open();
      return tabs.find((tab) => tab.tabIndex === 0).focus();
    });
  });
  signOut.addEventListener("click", () =>
    working(signOut, async () => {
      await post("/api/logout", {});
      askForToken();
    }));
  whenSignedOut(askForToken);
}

async function countPhotos() {
  await working(null, async () => {
    const { photos } = await get("/api/about");
    say(document.getElementById("photos"), "app.photos", [photos]);
  });
}

async function start() {
  startSettings();
  catchDrops();
  const check = (photo) => {
    showTab("check");
    checkOf(photo);
  };
  startSearch({ check });
  startCheck({ queueChanged: () => refresh(true) });
  startTable({ queueChanged: () => refresh(true) });
  startClasses();
  startAdd({ photosChanged: countPhotos });
  startAsk();
  startLogin();
  setLanguage(document.getElementById("language").value); // the parts made above speak it, too
  startTabs();
  await working(null, async () => {
    const session = await get("/api/session");
    signOut.hidden = !session.token_needed || !session.logged_in;
    if (session.token_needed && !session.logged_in) return askForToken();
    return open();
  });
  announce(words("app.title"));
}

start();
