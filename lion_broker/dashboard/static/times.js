// Moments as a person wants them: how long ago, in their own time zone, or in UTC; the others show when pointed at.
const MODES = ["Ago", "Local", "UTC"];
const KEPT = "lion-broker-times";
const UNITS = [
  [60, "s", 1],
  [3600, "min", 60],
  [86400, "h", 3600],
  [Infinity, "d", 86400],
];
let mode = MODES[0];

function ago(seconds) {
  if (seconds < 1) return "just now";
  const [, unit, size] = UNITS.find(([limit]) => seconds < limit);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function local(at) {
  // Swedes write dates as ISO does.
  return at.toLocaleString("sv-SE", { hourCycle: "h23" });
}

function utc(at) {
  return at.toISOString().slice(0, 19).replace("T", " ");
}

function tell() {
  const now = Date.now();
  for (const one of document.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = { Ago: () => ago((now - at.getTime()) / 1000), Local: () => local(at), UTC: () => `${utc(at)}Z` }[mode]();
    if (one.textContent !== text) one.textContent = text;
    if (!one.title) one.title = `${local(at)} here, ${utc(at)} UTC`;
  }
  const button = document.getElementById("times-mode");
  if (button) button.textContent = mode;
}

export function switchTimes() {
  mode = MODES[(MODES.indexOf(mode) + 1) % MODES.length];
  try {
    localStorage.setItem(KEPT, mode);
  } catch {
    // It holds for this page only then.
  }
  tell();
}

export function tellTimes() {
  try {
    const kept = localStorage.getItem(KEPT);
    if (MODES.includes(kept)) mode = kept;
  } catch {
    // Storage may be off.
  }
  tell();
  setInterval(tell, 1000);
  document.addEventListener("fresh", tell);
}
