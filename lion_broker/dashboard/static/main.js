// Puts the parts of a page to work. Without any of this the pages still show and their forms still act.
import { drawCharts } from "./charts.js";
import { copyId } from "./copy.js";
import { watchKeys } from "./keys.js";
import { goLive, lookAgain, switchPause, turnTo } from "./live.js";
import { pointAtBranches } from "./pictures.js";
import { switchTimes, tellTimes } from "./times.js";
import { watchZoom, zoomKeys } from "./zoom.js";

const body = document.body;
let turning = Promise.resolve();

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("lion-broker-theme", root.dataset.theme);
  } catch {
    // It holds for this page only then.
  }
  document.dispatchEvent(new CustomEvent("theme"));
}

function copyRow() {
  copyId(document.querySelector("tr.current [data-copy]") ?? document.querySelector(".crumbs [data-copy]"));
}

function countTicks() {
  const ticked = document.querySelectorAll('input[name="key"]:checked').length;
  for (const button of document.querySelectorAll("[data-needs-ticks]")) button.disabled = ticked === 0;
}

// What shows the same page otherwise does so without leaving it.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-stay]");
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  turning = turning.then(() => follow(link));
});

// One after another, since each link leads on from what is shown; where there is no such link any more, nowhere.
function follow(link) {
  const fresh = link.id ? document.getElementById(link.id) : link;
  return fresh?.href && turnTo(fresh.href);
}

// A filter keeps the order and the size that were chosen meanwhile.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-filters]")) return;
  const place = new URLSearchParams(location.search);
  for (const name of ["sort", "order", "size"]) {
    const field = event.target.elements.namedItem(name) ?? hidden(event.target, name);
    field.value = place.get(name) ?? "";
    field.disabled = !field.value;
  }
});

// What is sent once is not sent again by a second click, before the answer is there.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.going) event.preventDefault();
  form.dataset.going = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-going]")) delete form.dataset.going;
});

function hidden(form, name) {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = name;
  form.append(field);
  return field;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("[data-theme-switch]")) switchTheme();
  if (button.matches("[data-times]")) switchTimes();
  if (button.matches("[data-pause]")) switchPause();
  if (button.matches("[data-copy]")) copyId(button);
  if (button.matches("[data-help]")) document.getElementById("keys").showModal();
  if (button.dataset.sure && !confirm(button.dataset.sure)) event.preventDefault();
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-tick-all]")) {
    for (const one of document.querySelectorAll('input[name="key"]')) one.checked = field.checked;
  }
  if (field.matches("select[data-submit]")) field.form.requestSubmit();
  countTicks();
});
document.addEventListener("fresh", countTicks);

// What follows # in the address of the sign-in page is the token; it was never sent to anybody.
const login = document.getElementById("login");
function signIn() {
  if (!login || location.hash.length < 2) return;
  login.elements.token.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  login.requestSubmit();
}
signIn();
// Who was here already and enters the whole address then does not load the page anew.
addEventListener("hashchange", signIn);

const told = document.querySelector("[data-told]");
if (told) {
  // What was done is told once; whoever loads the page again has not done it again.
  const place = new URL(location.href);
  for (const name of ["did", "count", "left", "more"]) place.searchParams.delete(name);
  history.replaceState(null, "", place);
}

const here = document.querySelector('.side nav [aria-current="page"]');
if (here) {
  // On a narrow screen the places stand in a row that is longer than the screen.
  const row = here.parentElement;
  row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
}

countTicks();
watchKeys({ t: switchTheme, u: switchTimes, p: switchPause, c: copyRow, ...zoomKeys() });
watchZoom();
tellTimes();
drawCharts();
pointAtBranches();
lookAgain();
if (body.dataset.stream) goLive(body.dataset.root + body.dataset.stream);
