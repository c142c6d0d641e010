// Two fingers on a picture of time: spread or closed they look closer or further, moved they move the window.
import { go, measure, momentAt, within } from "./zoom.js";

const LEAST_PX = 12;
const MOST = 40;
let pinch = null;

export function watchPinch() {
  // Only what is refused at once is not taken for scrolling, or for a closer look at the whole page.
  document.addEventListener("touchstart", begin, { passive: false });
  document.addEventListener("touchmove", stretch, { passive: false });
  document.addEventListener("touchend", end);
  document.addEventListener("touchcancel", forget);
}

function begin(event) {
  forget();
  const pictures = [...event.touches].map((touch) => touch.target.closest?.("svg[data-zoom]"));
  if (pictures.length !== 2 || !pictures[0] || pictures[0] !== pictures[1] || !event.cancelable) return;
  const held = grip(pictures[0], event.touches);
  if (held.points.length < 2) return;
  event.preventDefault();
  pictures[0].dataset.held = "";
  pinch = { picture: pictures[0], from: held, to: held, box: pictures[0].getBoundingClientRect() };
}

// What two fingers hold: how far they are apart on the screen, and the place between them as the picture counts.
function grip(picture, [one, other]) {
  const middle = { clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 };
  const apart = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  return { ...measure(picture, middle), ...middle, apart: Math.max(apart, 1) };
}

function stretch(event) {
  if (!pinch || event.touches.length !== 2) return;
  event.preventDefault();
  const { picture, from, box } = pinch;
  // Measured without the stretching that is shown meanwhile: the picture is drawn anew in the end.
  picture.style.transform = "";
  pinch.to = grip(picture, event.touches);
  const by = scale();
  const [edge, way, axis] = from.upright ? ["top", "clientY", "Y"] : ["left", "clientX", "X"];
  const moved = pinch.to[way] - box[edge] - (from[way] - box[edge]) * by;
  picture.style.transformOrigin = "0 0";
  picture.style.transform = `translate${axis}(${moved}px) scale${axis}(${by})`;
}

function scale() {
  return Math.min(Math.max(pinch.to.apart / pinch.from.apart, 1 / MOST), MOST);
}

function end(event) {
  const done = pinch;
  const by = done && scale();
  forget();
  if (!done?.picture.isConnected) return;
  if (event.cancelable) event.preventDefault();
  const { from, to, picture } = done;
  if (Math.abs(to.apart - from.apart) < LEAST_PX && Math.abs(to.place - from.place) < LEAST_PX) return;
  const [first, last] = [from.points[0], from.points.at(-1)];
  const edges = [first, last].map(([place]) => from.place + (place - to.place) / by);
  const pace = (last[1] - first[1]) / (last[0] - first[0]);
  const moments = edges.map((place) => {
    if (place < first[0]) return first[1] + (place - first[0]) * pace;
    return place > last[0] ? last[1] + (place - last[0]) * pace : momentAt(from.points, place);
  });
  go(...within(picture, moments), false);
}

function forget() {
  if (pinch) {
    pinch.picture.style.transform = "";
    delete pinch.picture.dataset.held;
  }
  pinch = null;
}
