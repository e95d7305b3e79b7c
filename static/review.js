// The review page by keyboard alone, and two series that scroll together. Without script every page works by its forms.
(() => {
  const said = document.getElementById("said");
  const help = document.getElementById("keys");
  const queue = document.querySelector("[data-queue]");
  const bulk = document.getElementById("decide");
  const rows = queue ? [...queue.querySelectorAll("[data-row]")] : [];
  const all = document.querySelector("[data-all]");
  const PLACE = "review-place";

  function say(words) {
    if (said) said.textContent = words;
  }

  // The row that one is at: the one with the focus, else the last that had it.
  let at = -1;
  function nameOf(row) {
    return row.querySelector("[data-open]").textContent.trim();
  }
  function go(to) {
    if (!rows.length) return;
    at = Math.min(Math.max(to, 0), rows.length - 1);
    const row = rows[at];
    for (const other of rows) {
      const more = other.querySelector(".case-more");
      if (more) more.open = other === row;
    }
    row.querySelector("[data-open]").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    say(`Row ${at + 1} of ${rows.length}: ${nameOf(row)}`);
  }
  for (const [index, row] of rows.entries()) {
    row.addEventListener("focusin", () => { at = index; });
  }

  function boxes() {
    return rows.map((row) => row.querySelector("[data-choose]")).filter(Boolean);
  }
  function chosen() {
    return boxes().filter((box) => box.checked);
  }
  function count() {
    const words = document.querySelector("[data-chosen-words]");
    if (!words) return;
    const number = chosen().length;
    for (const box of boxes()) box.closest("[data-row]").toggleAttribute("data-chosen", box.checked || all.checked);
    words.textContent = all.checked ? "All that match" : number ? `${number} row${number === 1 ? "" : "s"} chosen` : "Nothing chosen";
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose], [data-all]")) count();
  });
  function toggle() {
    const box = rows[at]?.querySelector("[data-choose]");
    if (!box) return;
    box.checked = !box.checked;
    count();
    say(`${box.checked ? "Chosen" : "Left out"}: ${nameOf(rows[at])}`);
  }
  function toggleAll() {
    if (!all) return;
    all.checked = !all.checked;
    count();
    say(all.checked ? `All ${all.dataset.total} files that match are chosen` : "Only single rows are chosen");
  }

  const NAMES = { u: "Update existing", b: "Keep all", s: "Skip", m: "Merge", r: "Retry" };
  let sent = false;
  function decide(key) {
    if (sent) return;
    const many = bulk && (all?.checked || chosen().length);
    const place = many ? bulk : queue ? rows[at]?.querySelector("[data-offers]") : document.querySelector("[data-offers]");
    const button = place?.querySelector(`[data-key="${key}"]`);
    if (!button) {
      say(queue && at < 0 && !many ? "Go to a row first, with j." : `${NAMES[key]} does not fit here.`);
      return;
    }
    say(`${NAMES[key]}…`);
    button.click();
  }
  // One press, one decision: a form that is on its way is not sent again.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-offers], #decide, [data-undo]")) return;
    if (sent) event.preventDefault();
    sent = true;
    if (queue) remember();
  });
  window.addEventListener("pageshow", () => { sent = false; });
  function remember() {
    try {
      sessionStorage.setItem(PLACE, String(Math.max(at, 0)));
    } catch {
      // A browser that keeps nothing begins at the first row again.
    }
  }
  function recall() {
    try {
      const place = sessionStorage.getItem(PLACE);
      sessionStorage.removeItem(PLACE);
      if (place !== null) go(Number(place));
    } catch {
      // As above.
    }
  }

  function undo() {
    const form = document.querySelector("form[data-undo]");
    if (!form) say("There is nothing to take back.");
    else form.requestSubmit();
  }
  function follow(selector, otherwise) {
    const link = document.querySelector(selector);
    if (link) link.click();
    else say(otherwise);
  }
  function later() {
    if (!queue) follow("[data-later]", "This was the last row.");
    else if (at + 1 < rows.length) go(at + 1);
    else follow('.pager [rel="next"]', "This was the last row.");
  }
  function open(event) {
    // A link, button or field that has the focus does what it always does.
    if (event.target !== document.body || !rows[at]) return false;
    rows[at].querySelector("[data-open]").click();
    return true;
  }

  const KEYS = {
    j: () => (queue ? go(at + 1) : follow("[data-after]", "This was the last row.")),
    k: () => (queue ? go(at - 1) : follow("[data-before]", "This was the first row.")),
    x: toggle,
    a: toggleAll,
    h: later,
    z: undo,
    "?": () => help?.showModal(),
    "/": () => document.querySelector("[data-search]")?.focus(),
  };
  for (const key of Object.keys(NAMES)) KEYS[key] = () => decide(key);

  function typing(target) {
    return target.matches("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range])");
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && typing(event.target)) event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key)) return;
    if (typing(event.target) || help?.open) return;
    if (event.key === "Enter") {
      if (open(event)) event.preventDefault();
      return;
    }
    const act = Object.hasOwn(KEYS, event.key) && KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  for (const button of document.querySelectorAll("[data-keys]")) button.addEventListener("click", () => help.showModal());
  for (const button of document.querySelectorAll("[data-suggests]")) {
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.suggests);
      field.value = button.textContent;
      field.focus();
    });
  }

  // Two series, one range: each side shows its slice of that number, and stays on its last where it has fewer.
  for (const compare of document.querySelectorAll("[data-compare]")) {
    const range = compare.querySelector('input[type="range"]');
    if (!range) continue;
    const last = Number(compare.dataset.last);
    const sides = [...compare.querySelectorAll("img[data-side]")].map((picture) => ({
      picture,
      total: Number(picture.dataset.total),
      map: picture.dataset.map ? picture.dataset.map.split(",").map(Number) : [],
      words: picture.closest("figure").querySelector("[data-side-words]"),
      loading: false,
      shown: -1,
    }));
    function wanted(side) {
      return side.map[Number(range.value)] ?? Math.min(Number(range.value), side.total - 1);
    }
    // One picture at a time and side: while one is on its way only the latest wish is remembered.
    function load(side) {
      if (side.loading || side.shown === wanted(side)) return;
      side.loading = true;
      side.shown = wanted(side);
      side.picture.src = `${side.picture.dataset.side}&slice=${side.shown}`;
    }
    function show() {
      for (const side of sides) {
        side.words.textContent = `${wanted(side) + 1} of ${side.total}`;
        load(side);
      }
      range.setAttribute("aria-valuetext", `${Number(range.value) + 1} of ${last + 1}`);
      for (const step of compare.querySelectorAll("[data-slice-step]")) {
        const to = Number(range.value) + Number(step.dataset.sliceStep);
        step.setAttribute("aria-disabled", String(to < 0 || to > last));
      }
    }
    for (const side of sides) {
      side.shown = wanted(side);
      const done = () => { side.loading = false; load(side); };
      side.picture.addEventListener("load", done);
      side.picture.addEventListener("error", done);
    }
    function move(to) {
      range.value = String(Math.min(Math.max(to, 0), last));
      show();
    }
    range.addEventListener("input", show);
    for (const step of compare.querySelectorAll("[data-slice-step]")) {
      step.addEventListener("click", (event) => {
        event.preventDefault();
        move(Number(range.value) + Number(step.dataset.sliceStep));
      });
    }
    for (const side of sides) {
      side.picture.addEventListener("wheel", (event) => {
        event.preventDefault();
        move(Number(range.value) + Math.sign(event.deltaY));
      }, { passive: false });
    }
  }

  recall();
})();
