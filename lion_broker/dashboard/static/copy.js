// Puts an id on the clipboard; pages show only its end.
const TOLD_MS = 1200;

export async function copyId(button) {
  if (!button) return false;
  const copied = await put(button.dataset.copy);
  button.dataset.done = copied ? "yes" : "no";
  setTimeout(() => delete button.dataset.done, TOLD_MS);
  return true;
}

async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page that came over plain HTTP from another machine has no clipboard but this one.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}
