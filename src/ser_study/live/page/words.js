/* Colours, words and small helpers that the other files share. */

export const UNSURE = "unsure";
export const NO_SPEECH = "no speech";

const COLOURS = { // those of the study's figures
  neutral: "#766b6b", calm: "#28a2a8", happy: "#c78600", sad: "#0a8ce4", angry: "#bd3800", fearful: "#9f3faa",
  disgust: "#2f9b52", surprised: "#f03c96", bored: "#766733", excited: "#dc735d", frustrated: "#d90e3b", other: "#6e96c0",
};
const GREY = "#808080";

export const colourOf = (name) => COLOURS[name] ?? GREY;
export const titled = (name) => name.charAt(0).toUpperCase() + name.slice(1);
export const percent = (value, digits = 0) => value == null ? "–" : `${(100 * value).toFixed(digits)}\u00a0%`;
export const byId = (id) => document.getElementById(id);

/** Time of a recording: 7.5 s, 12 s or 3:05. */
export function clock(seconds) {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** An element with attributes and children; text is never read as HTML. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "colour") node.style.setProperty("--colour", value);
    else node.setAttribute(key, value);
  }
  node.append(...children.map((child) => typeof child === "number" ? String(child) : child));
  return node;
}

/** A table in a box that scrolls; columns whose name begins with "#" hold numbers. */
export function table(heads, rows) {
  const cell = (kind, text, head, scope) => {
    const attributes = { ...(head.startsWith("#") ? { class: "n" } : {}), ...(scope ? { scope } : {}) };
    return element(kind, attributes, typeof text === "number" ? text.toLocaleString("en") : text ?? "–");
  };
  const top = element("tr", {}, ...heads.map((head) => cell("th", head.replace("#", ""), head, "col")));
  const body = rows.map((row) => element("tr", {}, ...row.map((text, i) => cell("td", text, heads[i]))));
  const whole = element("table", {}, element("thead", {}, top), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" }, whole);
}

/** What an answer means, in a few words below its label. */
export function detailOf(row, threshold) {
  if (row.emotion === NO_SPEECH) return "Nobody speaks, so there is no answer.";
  const best = Object.entries(row.probabilities).sort((a, b) => b[1] - a[1])[0];
  if (row.emotion !== UNSURE) return `${percent(row.confidence)} likely`;
  const digits = threshold != null && percent(threshold) === percent(best[1]) ? 1 : 0; // a near miss looks like one
  const least = threshold == null ? "It is never sure enough" : `It answers from ${percent(threshold, digits)} on`;
  return `${least}; most likely ${best[0]}, ${percent(best[1], digits)}.`;
}

/** The rough guess of gender, or nothing. */
export function voiceOf(row) {
  if (row.pitch == null) return "";
  const gender = row.gender === "unclear" ? "too much in between to guess a gender" : `perhaps ${row.gender}`;
  return `Voice of about ${Math.round(row.pitch)} Hz: ${gender} (a rough guess from pitch alone, often wrong for raised voices).`;
}

/** The rows of bars of one answer: a list to put on the page, and a function that sets it. */
export function bars(list, classes, threshold) {
  const rows = classes.map((name) => {
    const fill = element("span", { class: "fill" });
    const track = element("span", { class: "track", "aria-hidden": "true" }, fill);
    if (threshold != null) {
      const mark = element("span", { class: "threshold" });
      mark.style.left = `${100 * threshold}%`;
      track.append(mark);
    }
    const value = element("span", { class: "value" }, "–");
    const row = element("li", { colour: colourOf(name), "data-class": name }, titled(name), track, value);
    return { name, row, fill, value };
  });
  list.replaceChildren(...rows.map(({ row }) => row));
  return (probabilities) => {
    list.classList.toggle("off", !probabilities);
    const most = probabilities ? Math.max(...Object.values(probabilities)) : null;
    for (const { name, row, fill, value } of rows) {
      const share = probabilities?.[name] ?? 0;
      fill.style.transform = `scaleX(${share})`;
      value.textContent = probabilities ? percent(share) : "–";
      row.classList.toggle("top", most !== null && share === most);
    }
  };
}
