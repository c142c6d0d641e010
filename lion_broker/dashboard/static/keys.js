// The keyboard: what each key does is in the dialog that ? opens.
let waiting = false;

// `others` are keys that do one thing each.
export function watchKeys(others) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const done = waiting ? go(event.key) : act(event.key, others);
    waiting = !waiting && event.key === "g";
    if (done) event.preventDefault();
  });
}

function go(key) {
  const link = document.querySelector(`.side nav a[data-key="${CSS.escape(key)}"]`);
  link?.click();
  return Boolean(link);
}

function act(key, others) {
  switch (key) {
    case "/":
      document.getElementById("find")?.select();
      return true;
    case "?":
      document.getElementById("keys")?.showModal();
      return true;
    case "j":
    case "k":
      return move(key === "j" ? 1 : -1);
    case "Enter":
      return open();
    case "x":
      return tick();
    default:
      return key in others && others[key]() !== false;
  }
}

function rows() {
  return [...document.querySelectorAll("tbody tr")];
}

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const at = all.findIndex((one) => one.classList.contains("current"));
  const next = all[Math.max(0, Math.min(all.length - 1, at + step))];
  all[at]?.classList.remove("current");
  next.classList.add("current");
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function open() {
  if (document.activeElement?.matches("a, button, summary")) return false;
  const link = document.querySelector("tr.current a");
  link?.click();
  return Boolean(link);
}

function tick() {
  const box = document.querySelector('tr.current input[name="key"]');
  box?.click();
  return Boolean(box);
}
