// Before the first paint, so that a remembered choice never flashes. Same key and words as the admin's own toggle.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    root.dataset.theme = localStorage.getItem("theme") || "auto";
  } catch {
    root.dataset.theme = "auto";
  }
})();
