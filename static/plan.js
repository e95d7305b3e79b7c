// The tree of a plan: boxes that are partly chosen look so, and those above and below follow the one that was clicked.
(() => {
  const boxOf = (row) => row.querySelector(":scope > .plan-tick [data-choose]");

  function show(box, state) {
    if (!box) return;
    box.checked = state === "on";
    box.indeterminate = state === "part";
    const row = box.closest("[data-branch]");
    row?.querySelector(":scope > details > summary [data-partly]")?.toggleAttribute("hidden", state !== "part");
  }
  function paint(within) {
    for (const box of within.querySelectorAll?.("[data-part]") ?? []) box.indeterminate = true;
  }
  document.addEventListener("DOMContentLoaded", () => paint(document));
  document.addEventListener("htmx:load", (event) => paint(event.target));

  function above(row) {
    const found = [];
    for (let at = row?.parentElement?.closest("[data-branch]"); at; at = at.parentElement.closest("[data-branch]")) {
      found.push(boxOf(at));
    }
    return found;
  }

  document.addEventListener("plan-chosen", (event) => {
    const clicked = event.target;
    if (!clicked.matches?.("[data-choose]")) return;
    const { on, above: states } = event.detail;
    const state = on ? "on" : "off";
    const all = document.querySelector('[data-choose][value="all"]');
    const row = clicked.closest("[data-branch], [data-file]");
    show(clicked, state);
    for (const box of (row ?? document.querySelector("[data-plan-top]")).querySelectorAll("[data-choose]")) show(box, state);
    for (const [index, box] of above(row).entries()) show(box, states[index]);
    if (clicked !== all) show(all, states[states.length - 1]);
  });

  // Refused: somebody has approved or cancelled it meanwhile, so the page is not true any more.
  document.addEventListener("htmx:responseError", (event) => {
    if (event.target.closest?.("[data-plan]")) window.location.reload();
  });
})();
