// Small comforts of a page; without them everything can still be read.
(() => {
  const root = document.documentElement;
  const button = document.querySelector("button.theme");
  const themes = ["", "light", "dark"];
  const words = { "": "as system", light: "light", dark: "dark" };
  const show = () => { button.textContent = `Theme: ${words[root.dataset.theme ?? ""]}`; };
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    try { localStorage.setItem("ser-theme", next); } catch { /* kept for this page only */ }
    show();
  });
  show();

  const links = new Map();
  document.querySelectorAll(".sections a").forEach((link) => {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) links.set(heading, link);
  });
  const mark = () => {
    let current = null;
    for (const [heading, link] of links) {
      link.removeAttribute("aria-current");
      if (heading.getBoundingClientRect().top < 160) current = link;
    }
    current?.setAttribute("aria-current", "true");
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();

  // What scrolls sideways can be reached by keyboard, and nothing else is a stop on its way.
  const boxes = document.querySelectorAll(".ser-drawing, .source pre");
  const reach = () => boxes.forEach((box) => {
    const scrolls = box.scrollWidth > box.clientWidth, kind = box.matches("pre") ? "Code" : "Figure";
    if (scrolls === box.hasAttribute("tabindex")) return;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", `${kind}, scrolls sideways`]]) {
      if (scrolls) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  });
  addEventListener("resize", reach, { passive: true });
  document.addEventListener("toggle", reach, true); // code that is opened
  reach();

  const runs = document.querySelector(".runs details");
  if (runs) { // a list over the text goes when the reader turns elsewhere
    const close = () => { runs.open = false; };
    document.addEventListener("click", (event) => { if (!runs.contains(event.target)) close(); });
    runs.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      close();
      runs.querySelector("summary").focus();
    });
  }

  const narrow = matchMedia("(max-width: 67.99rem)");
  document.querySelector(".contents")?.addEventListener("click", (event) => {
    if (narrow.matches && event.target.closest("a")) event.currentTarget.querySelector("details").open = false;
  });
})();
