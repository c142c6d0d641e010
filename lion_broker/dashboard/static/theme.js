// Before anything is painted: that scripts run, and the theme that was chosen here, if one was; else the system's holds.
(() => {
  document.documentElement.classList.add("has-script");
  try {
    const chosen = localStorage.getItem("lion-broker-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be off; then the system's theme holds.
  }
})();
