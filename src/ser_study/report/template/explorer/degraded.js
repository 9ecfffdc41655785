// What noise, rooms and telephones leave of a score: of a few systems, as chapter 7 measured it.
const showDegraded = (about, selection) => {
  const rows = about.degraded.filter((row) => row.selection === selection);
  $("degraded-part").hidden = !rows.length;
  if (!rows.length) return;
  const different = (name) => [...new Set(rows.map((row) => row[name]))];
  const systems = different("system");
  const cell = (row) => {
    if (!row) return make("td", { class: "n" }, "–");
    const change = row.change !== 0 ? [make("br"), make("small", {}, unbroken(`${points(row.change)} [${points(row.change_low)}, ${points(row.change_high)}]`))] : [];
    return make("td", { class: "n" }, unbroken(withInterval({ value: row.uar, low: row.low, high: row.high })), ...change);
  };
  const unbroken = (text) => text.replace(", ", ",\u00a0"); // an interval stands in one line
  const points = (value) => (value === null ? "–" : (value > 0 ? "+" : "") + value.toFixed(1).replace("-", "−"));
  const heads = ["Recording", ...systems].map((name, place) => make("th", { scope: "col", class: place ? "n" : null }, name));
  const body = different("condition").map((condition) => make("tr", {}, make("th", { scope: "row" }, condition),
    ...systems.map((system) => cell(rows.find((row) => row.condition === condition && row.system === system)))));
  $("degraded").replaceChildren(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body));
  const clips = different("n");
  $("degraded-n").textContent = `${clips.map(number).join(" or ")} clips`;
};
