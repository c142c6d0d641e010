// Looks closer at a picture of time. The server draws each window; here one is chosen: by dragging, the wheel, keys.
import { turnTo } from "./live.js";
import { watchPinch } from "./pinch.js";

const PAUSE_MS = 120;
const LEAST_PX = 6;
const STEP = 1.25;
const NARROWEST = 1e-4;
let drag = null;
let next = null;
let due = null;

export function watchZoom() {
  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", stretch);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", forget);
  document.addEventListener("dragstart", (event) => {
    if (pictureOf(event)) event.preventDefault();
  });
  document.addEventListener("wheel", turn, { passive: false });
  watchPinch();
  document.addEventListener("fresh", () => {
    if (due === null) next = null;
  });
}

// The keys of the picture: each stands for one of the links above it.
export function zoomKeys() {
  const keys = { "+": "in", "=": "in", "-": "out", "−": "out", 0: "all", ArrowLeft: "earlier", ArrowRight: "later" };
  return Object.fromEntries(Object.entries(keys).map(([key, name]) => [key, () => press(name)]));
}

function press(name) {
  // Where another region has the focus, the keys scroll that.
  const region = document.activeElement?.closest(".scroll");
  const link = region && !region.querySelector("svg[data-zoom]") ? null : document.getElementById(`zoom-${name}`);
  link?.click();
  return Boolean(link);
}

function pictureOf(event) {
  return event.target.closest?.("svg[data-zoom]");
}

// A picture's own measure: its points, where the pointer is in them, and the window that they span.
export function measure(picture, event) {
  const points = JSON.parse(picture.dataset.points);
  const upright = picture.dataset.zoom === "y";
  const box = picture.getBoundingClientRect();
  const view = picture.viewBox.baseVal;
  const place = upright
    ? ((event.clientY - box.top) / box.height) * view.height
    : ((event.clientX - box.left) / box.width) * view.width;
  return { points, upright, view, place };
}

export function momentAt(points, place) {
  const [first, last] = [points[0], points.at(-1)];
  const kept = Math.min(Math.max(place, first[0]), last[0]);
  const after = Math.max(1, points.findIndex(([where]) => where >= kept));
  const [[here, at], [there, later]] = [points[after - 1], points[after] ?? last];
  return there > here ? at + ((later - at) * (kept - here)) / (there - here) : at;
}

function begin(event) {
  const picture = pictureOf(event);
  if (!picture || event.button !== 0 || event.pointerType === "touch") return;
  const { points, place } = measure(picture, event);
  const least = points[0]?.[0] ?? 0;
  if (points.length < 2 || place < least - LEAST_PX) return;
  picture.dataset.held = "";
  drag = { picture, from: place, to: place, mark: null };
}

function stretch(event) {
  if (!drag?.picture.isConnected) return;
  const { points, upright, view, place } = measure(drag.picture, event);
  drag.to = Math.min(Math.max(place, points[0][0]), points.at(-1)[0]);
  drag.from = Math.max(drag.from, points[0][0]);
  if (!drag.mark && Math.abs(drag.to - drag.from) < LEAST_PX) return;
  if (!drag.mark) {
    drag.mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    drag.mark.setAttribute("class", "chosen");
    drag.picture.append(drag.mark);
    getSelection()?.removeAllRanges();
  }
  const [low, size] = [Math.min(drag.from, drag.to), Math.abs(drag.to - drag.from)];
  const shape = upright ? [0, low, view.width, size] : [low, 0, size, view.height];
  ["x", "y", "width", "height"].forEach((name, index) => drag.mark.setAttribute(name, shape[index]));
  event.preventDefault();
}

function end() {
  const done = drag;
  forget();
  if (!done?.mark || Math.abs(done.to - done.from) < LEAST_PX) return;
  // The click that follows is the end of the dragging, and opens nothing.
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
  const points = JSON.parse(done.picture.dataset.points);
  const moments = [done.from, done.to].map((place) => momentAt(points, place)).sort((one, other) => one - other);
  go(moments[0], moments[1], false);
}

function swallow(event) {
  event.preventDefault();
}

function forget() {
  drag?.mark?.remove();
  if (drag) delete drag.picture.dataset.held;
  drag = null;
}

function turn(event) {
  const picture = pictureOf(event);
  const closer = event.ctrlKey || event.metaKey;
  if (!picture || !(closer || event.shiftKey)) return;
  const { points, place } = measure(picture, event);
  if (points.length < 2) return;
  event.preventDefault();
  const seen = next ?? [points[0][1], points.at(-1)[1]];
  const way = Math.sign(event.deltaY || event.deltaX);
  const seconds = seen[1] - seen[0];
  if (closer) {
    const around = Math.min(Math.max(momentAt(points, place), seen[0]), seen[1]);
    const size = way < 0 ? 1 / STEP : STEP;
    next = [around - (around - seen[0]) * size, around + (seen[1] - around) * size];
  } else {
    next = seen.map((moment) => moment + (way * seconds) / 8);
  }
  next = within(picture, next);
  clearTimeout(due);
  due = setTimeout(() => {
    due = null;
    go(next[0], next[1], true);
  }, PAUSE_MS);
}

export function within(picture, [low, high]) {
  const [first, last] = [Number(picture.dataset.from), Number(picture.dataset.to)];
  const size = Math.min(high - low, last - first);
  const kept = Math.min(Math.max(low, first), last - size);
  return [kept, kept + size];
}

export function go(low, high, inPlace) {
  if (high - low < NARROWEST) return;
  const place = new URL(location.href);
  for (const name of ["start", "before", "after", "at"]) place.searchParams.delete(name);
  place.searchParams.set("from", low.toFixed(6));
  place.searchParams.set("to", high.toFixed(6));
  turnTo(place.href, inPlace);
}
