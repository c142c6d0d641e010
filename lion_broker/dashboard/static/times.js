// Moments as a person says them: how long ago, and in full, in their own time zone, when pointed at.
const UNITS = [
  [60, "s", 1],
  [3600, "min", 60],
  [86400, "h", 3600],
  [Infinity, "d", 86400],
];

function ago(seconds) {
  if (seconds < 0) return "just now";
  const [, unit, size] = UNITS.find(([limit]) => seconds < limit);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function tell() {
  const now = Date.now();
  for (const one of document.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = ago((now - at.getTime()) / 1000);
    if (one.textContent !== text) one.textContent = text;
    if (!one.title) one.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}

export function tellTimes() {
  tell();
  setInterval(tell, 1000);
  document.addEventListener("fresh", tell);
}
