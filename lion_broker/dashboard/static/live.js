// Keeps a page as it is now: it listens to a stream of events, and fetches the page again when something has happened.
//
// The regions marked data-live are taken out of the fresh page, which the server has escaped, and put in place of the old.
import { addBeat } from "./charts.js";
import { hearToken } from "./talk.js";

const PAUSE_MS = 700;
const AGAIN_MS = 500;
// A page that takes long is fetched the more seldom: this many times as long passes between two looks.
const REST = 4;
let newest = "";
let source = null;
let due = null;
let fetching = false;
let again = false;
let took = 0;
const waiting = [];
let wanted = false;
let paused = false;
let stale = false;

export function goLive(url) {
  const place = newest ? `${url}?after=${encodeURIComponent(newest)}` : url;
  source = new EventSource(place);
  source.addEventListener("open", () => say("on"));
  source.addEventListener("alive", () => say("on"));
  source.addEventListener("beat", (event) => {
    say("on");
    addBeat(JSON.parse(event.data));
    refreshSoon();
  });
  source.addEventListener("happened", (event) => {
    say("on");
    newest = event.lastEventId || newest;
    const what = JSON.parse(event.data);
    if (paused || !hearToken(what)) refreshSoon();
  });
  source.addEventListener("gap", refreshSoon);
  source.addEventListener("lost", () => say("lost", "The exchange does not answer. This page goes on by itself."));
  source.addEventListener("busy", () => say("off"));
  source.addEventListener("error", () => {
    say("off");
    // After a refusal the browser does not try again; we do. Whoever has to sign in anew is asked to by the page.
    if (source.readyState === EventSource.CLOSED) {
      source.close();
      refreshSoon();
      setTimeout(() => goLive(url), AGAIN_MS);
    }
  });
}

export function switchPause() {
  paused = !paused;
  document.querySelector("[data-pause]").textContent = paused ? "Go on" : "Pause";
  say(paused ? "paused" : "on");
  freshen();
}

function freshen() {
  if (!stale || paused || document.hidden) return;
  stale = false;
  refreshSoon();
}

document.addEventListener("visibilitychange", freshen);
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

function say(state, trouble = "") {
  const before = document.getElementById("live-dot");
  if (!before) return;
  if (before.dataset.state === "lost" && state === "on") refreshSoon();
  if (paused && state === "on") state = "paused";
  before.dataset.state = state;
  const words = { on: "live", off: "not live, trying again", lost: "no server", paused: "paused" };
  document.getElementById("live-text").textContent = words[state];
  const banner = document.getElementById("banner");
  banner.hidden = !trouble;
  banner.textContent = trouble;
}

// While somebody has stopped the page, or nobody sees it, nothing is fetched; what came meanwhile is, afterwards.
function refreshSoon() {
  if (paused || document.hidden) stale = true;
  else if (due === null) due = setTimeout(refresh, Math.max(PAUSE_MS, took * REST));
}

// Shows the same page as another address has it: sorted otherwise, another window of time. The place on it stays.
// What it returns is kept once that is shown.
export function turnTo(href, inPlace = false) {
  history[inPlace ? "replaceState" : "pushState"](null, "", href.replace(/#.*$/, ""));
  return show();
}

function show() {
  wanted = true;
  return new Promise((resolve) => {
    waiting.push(resolve);
    refresh();
  });
}

addEventListener("popstate", show);

async function refresh() {
  due = null;
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  const asked = location.href;
  const begun = performance.now();
  const forced = wanted;
  wanted = false;
  try {
    const answer = await fetch(asked, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname.endsWith("/login")) location.reload();
    if (answer.status === 503) say("lost", "The exchange does not answer. This page goes on by itself.");
    if (answer.status === 404 && document.body.dataset.view === "pending.html") location.reload();
    else if (answer.status === 404) say("on", "This is not there any more.");
    const text = await answer.text();
    if (location.href !== asked) again = true;
    else if (answer.ok) take(new DOMParser().parseFromString(text, "text/html"), forced);
    else if (forced) location.reload();
  } catch {
    say("off");
  } finally {
    fetching = false;
    took = performance.now() - begun;
    if (!wanted) for (const resolve of waiting.splice(0)) resolve();
    if (again) {
      again = false;
      if (wanted) refresh();
      else refreshSoon();
    }
  }
}

// What was asked for is shown, whatever a person is doing there.
function take(page, forced) {
  // What was not there yet is there now, on a page of another kind.
  if (page.body.dataset.view !== document.body.dataset.view) return location.reload();
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh && (forced || !isBusy(old)) && !fresh.isEqualNode(old)) replace(old, document.adoptNode(fresh));
  }
  document.dispatchEvent(new CustomEvent("fresh"));
  lookAgain();
}

// What is still being read is more a moment later, whether or not anything happens.
export function lookAgain() {
  if (document.querySelector("[data-again]")) setTimeout(refreshSoon, AGAIN_MS);
}

// Nothing is taken from under a person's hands.
function isBusy(region) {
  if (region.querySelector("[data-held]")) return true;
  const at = document.activeElement;
  if (at && region.contains(at) && at.matches("input:not([type=checkbox]), textarea, select")) return true;
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && region.contains(selection.anchorNode));
}

function replace(old, fresh) {
  const ticked = [...old.querySelectorAll('input[name="key"]:checked')].map((one) => one.value);
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  const scrolls = [...old.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  const row = old.querySelector("tr.current")?.dataset.row;
  const seen = new Set([...old.querySelectorAll("tr[data-row]")].map((one) => one.dataset.row));
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
  old.replaceWith(fresh);
  for (const one of fresh.querySelectorAll('input[name="key"]')) one.checked = ticked.includes(one.value);
  fresh.querySelectorAll("details").forEach((one, index) => (one.open = open[index] ?? false));
  fresh.querySelectorAll(".scroll").forEach((one, index) => one.scrollTo(...(scrolls[index] ?? [0, 0])));
  for (const one of fresh.querySelectorAll("tr[data-row]")) {
    if (one.dataset.row === row) one.classList.add("current");
    if (one.dataset.row && seen.size && !seen.has(one.dataset.row)) one.classList.add("new");
  }
  if (held) counterpart(fresh, held)?.focus({ preventScroll: true });
  if (fresh.matches("[data-keep-end]") && atEnd) scrollTo({ top: document.documentElement.scrollHeight });
}

// What stands in a fresh region for what has had the focus: by its id, or as the link to the same page.
function counterpart(fresh, held) {
  if (held.id) return fresh.querySelector(`#${CSS.escape(held.id)}`);
  const href = held.getAttribute("href");
  return href && fresh.querySelector(`a[href="${CSS.escape(href)}"]`);
}
