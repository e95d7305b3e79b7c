// Choosing folders of a storage: each becomes a line of the field of prefixes.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pick]");
    const picker = button?.closest("[data-picker]");
    if (!picker) return;
    const field = document.getElementById(picker.dataset.picker);
    const lines = field.value.split("\n").filter((line) => line.trim());
    const folder = button.dataset.pick;
    const there = lines.some((line) => folder.startsWith(line));
    if (!there) field.value = [...lines.filter((line) => !line.startsWith(folder)), folder].join("\n");
    field.rows = Math.min(8, Math.max(2, field.value.split("\n").length));
    const said = picker.parentElement.querySelector("[data-picked]");
    if (said) said.textContent = there ? `${folder} is taken already.` : `${folder} is added.`;
    button.textContent = "Added";
  });
})();
