// What pages gain with script on; every page works without it.
(() => {
  const root = document.documentElement;

  const ORDER = ["auto", "light", "dark"];
  const SAID = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
  function showTheme(button) {
    button.title = SAID[root.dataset.theme];
    button.setAttribute("aria-label", SAID[root.dataset.theme]);
    for (const icon of button.querySelectorAll("[data-theme-icon]")) {
      icon.toggleAttribute("hidden", icon.dataset.themeIcon !== root.dataset.theme);
    }
  }
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    showTheme(button);
    button.addEventListener("click", () => {
      root.dataset.theme = ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length];
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // A browser that keeps nothing still shows the choice on this page.
      }
      showTheme(button);
    });
  }

  // An open menu closes on Escape and on a click elsewhere.
  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  }
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // On a narrow screen the sections scroll: the current one is in sight.
  const section = document.querySelector(".nav [aria-current]");
  if (section) section.parentElement.scrollLeft = section.offsetLeft - section.parentElement.clientWidth / 2;

  // What takes long says so, and is not sent twice.
  document.addEventListener("submit", (event) => {
    const button = event.target.matches("form[data-busy]") ? event.submitter : null;
    if (!button?.dataset.busyWords) return;
    if (button.getAttribute("aria-disabled")) {
      event.preventDefault();
      return;
    }
    button.setAttribute("aria-disabled", "true");
    button.textContent = button.dataset.busyWords;
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && document.querySelector("[data-busy-words][aria-disabled]")) window.location.reload();
  });

  // A filter acts as soon as it is chosen.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });

  // A hidden tab asks for one poll in ten; the first look back asks at once.
  const SPARE = 10;
  let skippedPolls = 0;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.closest("[data-poll]") || !document.hidden) return;
    skippedPolls += 1;
    if (skippedPolls % SPARE) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !window.htmx) return;
    for (const polled of document.querySelectorAll("[data-poll]")) window.htmx.trigger(polled, "look");
  });

  // What a poll brings to light: nobody answers, or the reader is no longer signed in.
  const offline = document.getElementById("offline");
  const unanswered = () => offline?.removeAttribute("hidden");
  document.addEventListener("htmx:sendError", unanswered);
  document.addEventListener("htmx:responseError", unanswered);
  document.addEventListener("htmx:beforeSwap", (event) => {
    offline?.setAttribute("hidden", "");
    if (new URL(event.detail.xhr.responseURL).pathname !== document.body.dataset.signIn) return;
    event.preventDefault();
    window.location.reload();
  });

  // A picture that cannot be shown gives way to its words.
  document.addEventListener("error", (event) => {
    if (event.target.matches?.("img[data-or-words]")) {
      event.target.hidden = true;
      event.target.nextElementSibling?.removeAttribute("hidden");
    }
  }, true);

  const filter = document.querySelectorAll("input[data-filters]");
  for (const input of filter) {
    const rows = document.querySelectorAll(`#${input.dataset.filters} tbody tr`);
    const count = document.querySelector(`[data-filter-count="${input.dataset.filters}"]`);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      if (count) count.textContent = `${shown} of ${rows.length}`;
    });
  }
})();
