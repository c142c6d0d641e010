// Points at what belongs to a branch in the picture of who mails whom.
export function pointAtBranches() {
  document.addEventListener("pointerover", (event) => {
    const picture = event.target.closest?.("svg.flow");
    if (!picture) return;
    const branch = event.target.closest(".box")?.dataset.branch;
    picture.classList.toggle("pointed", Boolean(branch));
    const near = new Set([branch]);
    for (const one of picture.querySelectorAll(".arrow")) {
      const own = one.dataset.from === branch || one.dataset.to === branch;
      one.classList.toggle("own", own);
      if (own) near.add(one.dataset.from).add(one.dataset.to);
    }
    for (const one of picture.querySelectorAll(".box")) one.classList.toggle("own", near.has(one.dataset.branch));
  });
}
