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

  // The drawing as a file: SVG as it is shown, PNG at twice its size, both on white as in print.
  const drawn = (figure) => {
    const shown = figure.querySelector("svg.wide"), copy = shown.cloneNode(true);
    const [, , width, height] = shown.getAttribute("viewBox").split(" ").map(Number);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("xmlns:xlink", "http://www.w3.org/1999/xlink");
    copy.setAttribute("width", width * 4 / 3);
    copy.setAttribute("height", height * 4 / 3);
    copy.setAttribute("style", "background:#fff;color:#1b1b1f;--paper:#fff;font-family:sans-serif");
    const text = new XMLSerializer().serializeToString(copy);
    return { blob: new Blob([text], { type: "image/svg+xml" }), width: width * 8 / 3, height: height * 8 / 3 };
  };
  const save = (blob, name) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const saveSvg = (figure, name) => save(drawn(figure).blob, `${name}.svg`);
  const savePng = async (figure, name) => {
    const { blob, width, height } = drawn(figure), picture = new Image();
    picture.src = URL.createObjectURL(blob);
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d").drawImage(picture, 0, 0, width, height);
    URL.revokeObjectURL(picture.src);
    canvas.toBlob((png) => save(png, `${name}.png`));
  };
  document.querySelectorAll(".ser-saves").forEach((place) => {
    for (const [label, make] of [["SVG", saveSvg], ["PNG", savePng]]) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
      button.addEventListener("click", () => make(place.closest("figure"), place.dataset.name));
      place.append(button);
    }
  });

  const narrow = matchMedia("(max-width: 67.99rem)");
  document.querySelector(".contents")?.addEventListener("click", (event) => {
    if (narrow.matches && event.target.closest("a")) event.currentTarget.querySelector("details").open = false;
  });
})();
