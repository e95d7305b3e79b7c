// What the pages of the tree gain with script: slices without loading the page again, and a path to copy.
(() => {
  for (const viewer of document.querySelectorAll("[data-viewer]")) {
    const picture = viewer.querySelector("[data-slice-picture]");
    const range = viewer.querySelector("[data-slice]");
    if (!picture || !range) continue;
    const words = viewer.querySelector("[data-slice-words]");
    const steps = viewer.querySelectorAll("[data-slice-step]");
    const last = Number(range.max);
    let loading = false;
    let shown = Number(range.value);

    // One picture at a time: while one is on its way only the latest wish is remembered.
    function load() {
      if (loading || shown === Number(range.value)) return;
      loading = true;
      shown = Number(range.value);
      picture.src = `${viewer.dataset.viewer}&slice=${shown}`;
    }
    function done() {
      loading = false;
      load();
    }
    function said() {
      const now = Number(range.value);
      words.textContent = `${now + 1} of ${last + 1}`;
      range.setAttribute("aria-valuetext", words.textContent);
      for (const step of steps) {
        const way = Number(step.dataset.sliceStep);
        step.setAttribute("aria-disabled", String(now + way < 0 || now + way > last));
      }
    }
    function go(to) {
      range.value = String(Math.min(Math.max(to, 0), last));
      said();
      load();
    }
    picture.addEventListener("load", done);
    picture.addEventListener("error", done);
    range.addEventListener("input", () => go(Number(range.value)));
    for (const step of steps) {
      step.addEventListener("click", (event) => {
        event.preventDefault();
        go(Number(range.value) + Number(step.dataset.sliceStep));
      });
    }
    said();
  }

  for (const button of document.querySelectorAll("[data-copies]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      source.select();
      try {
        await navigator.clipboard.writeText(source.value);
      } catch {
        // Without a secure connection there is no clipboard: the old way works on what is selected.
        document.execCommand("copy");
      }
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 2000);
    });
  }
})();
