// Writing rules: line numbers, mistakes underlined where they are, the sample tried again after a pause.
(() => {
  const form = document.getElementById("rules-form");
  const text = document.getElementById("rules-text");
  if (!form || !text) return;
  const lines = form.querySelector("[data-code-lines]");
  const under = form.querySelector("[data-code-under]");
  const said = document.getElementById("said");
  const opened = new Set();

  function problems() {
    return [...document.querySelectorAll("#problems [data-line]")].map((one) => ({
      line: Number(one.dataset.line), column: Number(one.dataset.column), said: one.lastElementChild.textContent,
    }));
  }

  // The text again, unseen, behind the one that is typed into: only its underlines show.
  function draw() {
    const found = new Map(problems().map((one) => [one.line, one]));
    const rows = text.value.split("\n");
    const numbers = document.createDocumentFragment();
    const copy = document.createDocumentFragment();
    rows.forEach((row, at) => {
      const bad = found.get(at + 1);
      const number = document.createElement("span");
      number.textContent = String(at + 1);
      if (bad) number.dataset.bad = "";
      numbers.append(number);
      if (!bad) {
        copy.append(`${row}\n`);
        return;
      }
      const from = Math.min(Math.max(bad.column - 1, 0), Math.max(row.trimEnd().length - 1, 0));
      const mark = document.createElement("mark");
      mark.textContent = row.slice(from).trimEnd() || " ";
      copy.append(row.slice(0, from), mark, "\n");
    });
    lines.replaceChildren(numbers);
    under.replaceChildren(copy);
    form.querySelector("[data-code]").classList.toggle("code-bad", found.size > 0);
    follow();
  }
  function follow() {
    lines.scrollTop = text.scrollTop;
    under.scrollTop = text.scrollTop;
    under.scrollLeft = text.scrollLeft;
  }
  text.addEventListener("input", draw);
  text.addEventListener("scroll", follow);

  function check() {
    window.htmx.trigger(text, "check");
  }

  function goTo(line, column) {
    const rows = text.value.split("\n");
    const at = Math.min(line, rows.length) - 1;
    const before = rows.slice(0, at).reduce((sum, row) => sum + row.length + 1, 0);
    const place = before + Math.min(column - 1, rows[at].length);
    text.focus();
    text.setSelectionRange(place, place);
    const height = text.scrollHeight / rows.length;
    text.scrollTop = Math.max(0, (at - 4) * height);
    text.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href="#rules-text"]');
    if (!link) return;
    event.preventDefault();
    const place = link.closest("[data-line]");
    goTo(Number(place.dataset.line), Number(place.dataset.column));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    check();
  });
  // A new line begins where the last one did; the browser's own undo knows about it.
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    const row = text.value.slice(0, text.selectionStart).split("\n").pop();
    const indent = row.match(/^ */)[0] + (/^\s*- /.test(row) && /^\s*- \w+:/.test(row) ? "  " : "");
    if (!indent) return;
    event.preventDefault();
    document.execCommand("insertText", false, `\n${indent}`);
  });

  const start = document.getElementById("start-at");
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-start], [data-check-button]");
    if (!button || !window.htmx) return;
    event.preventDefault();
    if (button.matches("[data-start]")) {
      start.value = button.value;
      document.getElementById("sample-title").scrollIntoView({ block: "nearest" });
    }
    check();
  });
  form.addEventListener("change", (event) => {
    if (!event.target.matches('[name="sample"], [name="only"]')) return;
    start.value = "0";
    opened.clear();
    check();
  });

  document.addEventListener("toggle", (event) => {
    const file = event.target.dataset?.file;
    if (file === undefined) return;
    if (event.target.open) opened.add(file);
    else opened.delete(file);
  }, true);
  function settled() {
    const wrong = problems();
    document.getElementById("results").classList.toggle("stale", wrong.length > 0);
    for (const file of opened) {
      const row = document.querySelector(`#results [data-file="${CSS.escape(file)}"]`);
      if (row) row.open = true;
    }
    draw();
    said.textContent = wrong.length ? `${wrong.length} mistakes; the first in line ${wrong[0].line}` : "The sample was tried again.";
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt === text && event.detail.successful) settled();
  });

  // Files: what is too much is said before it travels. A folder gives a few files of each of its folders.
  const uploads = form.querySelector("[data-uploads]");
  const files = document.getElementById("sample-files");
  const folder = uploads.querySelector("[data-folder]");
  const paths = uploads.querySelector("[data-upload-paths]");
  const note = uploads.querySelector("[data-uploads-said]");
  const most = { files: Number(uploads.dataset.mostFiles), bytes: Number(uploads.dataset.mostBytes) };
  function chosen() {
    const bytes = [...files.files].reduce((sum, file) => sum + file.size, 0);
    const much = files.files.length > most.files || bytes > most.bytes;
    note.textContent = much ? "These are too many: choose fewer." : `${files.files.length} chosen.`;
    note.className = much ? "bad-text" : "";
    uploads.querySelector('button[value="upload"]').disabled = much;
  }
  files.addEventListener("change", () => {
    paths.value = "";
    chosen();
  });
  uploads.querySelector("[data-folder-button]").addEventListener("click", () => folder.click());
  folder.addEventListener("change", () => {
    const folders = new Map();
    for (const file of folder.files) {
      const above = file.webkitRelativePath.replace(/\/[^/]*$/, "");
      folders.set(above, [...(folders.get(above) || []), file]);
    }
    const taken = [];
    let bytes = 0;
    for (let turn = 0; taken.length < most.files; turn += 1) {
      const row = [...folders.values()].map((one) => one[turn]).filter(Boolean);
      if (!row.length) break;
      for (const file of row) {
        if (taken.length >= most.files || bytes + file.size > most.bytes) continue;
        bytes += file.size;
        taken.push(file);
      }
    }
    const some = new DataTransfer();
    for (const file of taken) some.items.add(file);
    files.files = some.files;
    paths.value = taken.map((file) => file.webkitRelativePath).join("\n");
    chosen();
    if (folder.files.length > taken.length) note.textContent = `${taken.length} of ${folder.files.length}, a few of each folder.`;
    folder.value = "";
  });

  draw();
  settled();
  said.textContent = "";
})();
