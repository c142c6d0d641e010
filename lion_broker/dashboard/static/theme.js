// Before anything is painted: the theme that was chosen here, if one was. Without a choice the system's holds.
(() => {
  try {
    const chosen = localStorage.getItem("lion-broker-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be off; then the system's theme holds.
  }
})();
