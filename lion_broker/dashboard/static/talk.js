// Words of an answer as they come, before it is committed.
const LONGEST = 20000;
const KEPT = 20;

// Takes an event if it is a part of an answer; says whether it was one.
export function hearToken(what) {
  if (what.kind !== "said") {
    if (what.kind === "turn") forget(what.branch);
    return false;
  }
  const home = document.getElementById("typing");
  const select = document.querySelector('select[name="branch"]');
  if (!home || (select?.value && select.value !== what.branch)) return true;
  let bubble = [...home.children].find((one) => one.dataset.branch === what.branch);
  if (!bubble) {
    bubble = document.createElement("article");
    bubble.className = "says role-assistant typing";
    bubble.dataset.branch = what.branch;
    const name = [...(select?.options ?? [])].find((one) => one.value === what.branch)?.text ?? what.branch;
    const head = document.createElement("header");
    head.textContent = `${name} is answering`;
    const text = document.createElement("div");
    text.className = "text";
    text.dir = "auto";
    bubble.append(head, text);
    home.append(bubble);
    if (home.children.length > KEPT) home.firstElementChild.remove();
  }
  const text = bubble.querySelector(".text");
  // An answer that begins anew, since its worker was lost, replaces what was said of it.
  const before = what.at === "0" ? "" : text.textContent;
  text.textContent = (before + what.text).slice(-LONGEST);
  return true;
}

function forget(branch) {
  for (const one of document.querySelectorAll("#typing > *")) if (one.dataset.branch === branch) one.remove();
}
