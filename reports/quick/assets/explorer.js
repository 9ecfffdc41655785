(() => {
// The published predictions, unpacked: clips with their columns, and systems with truth, prediction and probabilities.
const UNKNOWN = 65535;

const bytesOf = async (text) => {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let place = 0; place < raw.length; place++) bytes[place] = raw.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
};

const unpacked = async (packed) => {
  const about = JSON.parse(new TextDecoder().decode(await bytesOf(packed.about)));
  const buffer = await bytesOf(packed.arrays);
  const kinds = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };
  const array = (name) => {
    const [start, size, width] = about.arrays[name];
    return new kinds[width](buffer.slice(start, start + size * width)); // a copy, since 16-bit numbers begin at even bytes
  };
  const columns = new Map(about.columns.map((one) => [one.name, { ...one, codes: array(`column ${one.name}`) }]));
  const lists = new Map();
  const list = (number) => {
    if (!lists.has(number)) lists.set(number, { clips: array(`clips ${number}`), truth: array(`truth ${number}`) });
    return lists.get(number);
  };
  const systems = new Map(about.systems.map((one, number) => [one.name, { ...one, number }]));
  return { about, array, columns, systems, list, tile: array("tile"), votes: array("votes"), recognition: array("recognition") };
};

// A system with its arrays; probabilities are decoded when first needed, as experiments/coding.py does, to float32.
const opened = (data, name) => {
  const one = data.systems.get(name);
  if (one.proba) return one;
  const { clips, truth } = data.list(one.rows);
  const [codes, other] = [data.array(`codes ${one.number}`), data.array(`other ${one.number}`)];
  const [n, width, weights] = [clips.length, one.classes.length, data.about.weights];
  const proba = new Float64Array(n * width);
  const prediction = new Uint8Array(n);
  const likeliest = new Uint8Array(n);
  const confidence = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    let total = 0;
    let best = 0;
    for (let place = 0; place < width; place++) {
      const code = codes[place * n + row];
      total += weights[code];
      if (code < codes[best * n + row]) best = place;
    }
    for (let place = 0; place < width; place++) {
      proba[row * width + place] = Math.fround(weights[codes[place * n + row]] / total);
    }
    likeliest[row] = best;
    prediction[row] = (best + other[row]) % width;
    confidence[row] = proba[row * width + best];
  }
  return Object.assign(one, { clips, truth, proba, prediction, likeliest, confidence });
};

// Scores of some rows of a system, by the rules of ser_study.evaluation; tests compare every number with Python's.

// Mulberry32 (T. Ettinger, 2017, public domain): the same numbers in 0 … 1 every time, so that an address shows one page.
const generator = (seed) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};

const sum = (values) => values.reduce((total, value) => total + value, 0);
const halfToEven = (value) => {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2) ? floor + 1 : floor;
};
const ascending = (values) => Uint32Array.from(values.keys()).sort((a, b) => values[a] - values[b] || a - b);

// Rows of a system whose clips have the values that are chosen; `filters` maps a column to one of its values.
const rowsOf = (data, system, state) => {
  const wanted = Object.entries(state.filters ?? {}).map(([name, value]) => {
    const column = data.columns.get(name);
    return [column?.codes, column?.levels.indexOf(value) ?? -1];
  });
  const emotion = state.emotion ? system.classes.indexOf(state.emotion) : null;
  const rows = [];
  for (let row = 0; row < system.clips.length; row++) {
    if (emotion !== null && system.truth[row] !== emotion) continue;
    const clip = system.clips[row];
    if (wanted.every(([codes, level]) => level >= 0 && codes[clip] === level)) rows.push(row);
  }
  return rows;
};

const confusion = (system, rows) => {
  const width = system.classes.length;
  const counts = Array.from({ length: width }, () => new Array(width).fill(0));
  for (const row of rows) counts[system.truth[row]][system.prediction[row]]++;
  return counts;
};

// Hits and clips by class → UAR (over the classes that occur) and accuracy.
const uarAndAccuracy = (hits, clips) => {
  let [recalls, present, right, all] = [0, 0, 0, 0];
  for (let place = 0; place < clips.length; place++) {
    if (!clips[place]) continue;
    recalls += hits[place] / clips[place];
    present += 1;
    right += hits[place];
    all += clips[place];
  }
  return all ? [recalls / present, right / all] : [NaN, NaN];
};

// Units that are drawn or left out: speakers, or random groups of clips where they are three or fewer, or unknown.
const unitsOf = (data, system, rows) => {
  const codes = data.columns.get("speaker")?.codes;
  const places = new Map();
  const unit = rows.map((row) => {
    const speaker = codes ? codes[system.clips[row]] : UNKNOWN;
    if (speaker === UNKNOWN) return -1;
    if (!places.has(speaker)) places.set(speaker, places.size);
    return places.get(speaker);
  });
  const named = !unit.includes(-1);
  const { bootstrap, jackknife } = data.about.speakers;
  if (named && places.size >= jackknife) {
    return { unit, size: places.size, speakers: places.size, kind: places.size >= bootstrap ? "bootstrap" : "jackknife" };
  }
  const size = Math.min(rows.length, data.about.groups);
  const order = permutation(rows.length, generator(1));
  return { unit: order.map((place) => place % size), size, speakers: named ? places.size : NaN, kind: "clips" };
};

const permutation = (size, random) => { // Fisher–Yates
  const order = Array.from({ length: size }, (_, place) => place);
  for (let place = size - 1; place > 0; place--) {
    const other = Math.floor(random() * (place + 1));
    [order[place], order[other]] = [order[other], order[place]];
  }
  return order;
};

// The resamples of the same clips are the same for all systems.
let lastDrawn = {};
const weightsOf = (key, ...options) => {
  if (lastDrawn.key !== key) lastDrawn = { key, weights: bootstrapWeights(...options) };
  return lastDrawn.weights;
};

// Times each unit is drawn in each resample; one that lacks a class is drawn again; null where nearly all lack one.
const bootstrapWeights = (clips, size, width, resamples) => {
  const random = generator(1);
  const weights = new Uint8Array(resamples * size);
  const present = Array.from({ length: width }, (_, place) => place)
    .filter((place) => Array.from({ length: size }, (_, one) => clips[one * width + place]).some(Boolean));
  let lacking = Array.from({ length: resamples }, (_, place) => place);
  while (lacking.length) {
    for (const place of lacking) {
      weights.fill(0, place * size, (place + 1) * size);
      for (let draw = 0; draw < size; draw++) weights[place * size + Math.floor(random() * size)]++;
    }
    const still = lacking.filter((place) => present.some((one) => {
      for (let other = 0; other < size; other++) if (weights[place * size + other] && clips[other * width + one]) return false;
      return true;
    }));
    if (lacking.length === resamples && still.length > 0.99 * resamples) return null;
    lacking = still;
  }
  return weights;
};

const quantile = (sorted, share) => {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
};

const between = (value, low, high) => ({ value, low: Math.max(low, 0), high: Math.min(high, 1) });

const jackknifeLimits = (value, without, t) => {
  if (without.length < 2) return { value, low: NaN, high: NaN };
  const mean = sum(without) / without.length;
  const spread = sum(without.map((one) => (one - mean) ** 2)) / without.length;
  const reach = t[without.length - 2] * Math.sqrt((without.length - 1) * spread);
  return between(value, value - reach, value + reach);
};

// UAR and accuracy with intervals, see ser_study.evaluation.intervals.
const intervals = (data, system, rows, key) => {
  const width = system.classes.length;
  const drawn = unitsOf(data, system, rows);
  const [hits, clips] = [new Float64Array(drawn.size * width), new Float64Array(drawn.size * width)];
  rows.forEach((row, place) => {
    const cell = drawn.unit[place] * width + system.truth[row];
    clips[cell] += 1;
    hits[cell] += system.prediction[row] === system.truth[row];
  });
  const totals = [hits, clips].map((table) => {
    const total = new Float64Array(width);
    table.forEach((value, cell) => { total[cell % width] += value; });
    return total;
  });
  const values = uarAndAccuracy(...totals);
  const { resamples, t } = data.about;
  const weights = drawn.kind === "bootstrap" ? weightsOf(key, clips, drawn.size, width, resamples) : null;
  const each = weights
    ? resampled(weights, hits, clips, drawn.size, width, resamples)
    : leftOut(hits, clips, totals, drawn.size, width);
  const spans = each.map((scores, place) => {
    if (!weights) return jackknifeLimits(values[place], scores, t);
    const sorted = Float64Array.from(scores).sort();
    return between(values[place], quantile(sorted, (1 - 0.95) / 2), quantile(sorted, (1 + 0.95) / 2));
  });
  const kind = drawn.kind === "clips" ? "clips" : weights ? "bootstrap" : "jackknife";
  return { uar: spans[0], accuracy: spans[1], kind, speakers: drawn.speakers };
};

const resampled = (weights, hits, clips, size, width, resamples) => {
  const scores = [new Array(resamples), new Array(resamples)];
  const [right, all] = [new Float64Array(width), new Float64Array(width)];
  for (let place = 0; place < resamples; place++) {
    right.fill(0);
    all.fill(0);
    for (let unit = 0; unit < size; unit++) {
      const times = weights[place * size + unit];
      if (!times) continue;
      for (let one = 0; one < width; one++) {
        right[one] += times * hits[unit * width + one];
        all[one] += times * clips[unit * width + one];
      }
    }
    [scores[0][place], scores[1][place]] = uarAndAccuracy(right, all);
  }
  return scores;
};

const leftOut = (hits, clips, [right, all], size, width) => {
  const scores = [[], []];
  for (let unit = 0; unit < size; unit++) {
    const rest = [right, all].map((total, part) =>
      total.map((value, one) => value - (part ? clips : hits)[unit * width + one]));
    uarAndAccuracy(...rest).forEach((score, place) => scores[place].push(score));
  }
  return scores;
};

// First place of each bin of sorted values; equal values stay together, so bins may be fewer.
const equalMass = (sorted, bins) => {
  const starts = new Set();
  for (let bin = 0; bin < bins; bin++) {
    let place = Math.min(halfToEven(bin * (sorted.length / bins)), sorted.length - 1);
    while (place > 0 && sorted[place - 1] === sorted[place]) place--;
    starts.add(place);
  }
  return [...starts].sort((a, b) => a - b);
};

// ECE beside what a calibrated system of as many clips would show: the mean over some draws, fewer of many clips.
const calibration = (data, system, rows) => {
  const { bins, calibrated } = data.about;
  const draws = Math.min(Math.max(Math.round(calibrated.answers / rows.length), calibrated.least), calibrated.most);
  const confidence = Float64Array.from(rows, (row) => system.confidence[row]);
  const order = ascending(confidence);
  const sorted = Float64Array.from(order, (place) => confidence[place]);
  const right = Uint8Array.from(order, (place) => system.likeliest[rows[place]] === system.truth[rows[place]]);
  const starts = equalMass(sorted.map((value) => halfToEven(value * 1e9) / 1e9), bins);
  const ends = [...starts.slice(1), sorted.length];
  const table = starts.map((start, bin) => {
    const n = ends[bin] - start;
    return { n, confidence: sum(sorted.subarray(start, ends[bin])) / n, right: sum(right.subarray(start, ends[bin])) / n };
  });
  const ece = sum(table.map((bin) => Math.abs(bin.right - bin.confidence) * bin.n)) / sorted.length;
  const random = generator(2);
  let chance = 0;
  const sums = table.map((bin) => bin.confidence * bin.n);
  for (let draw = 0; draw < draws; draw++) {
    for (let bin = 0; bin < starts.length; bin++) {
      let hits = 0;
      for (let place = starts[bin]; place < ends[bin]; place++) hits += random() < Math.min(sorted[place], 1);
      chance += Math.abs(hits - sums[bin]);
    }
  }
  return { ece, eceIfCalibrated: chance / draws / sorted.length, draws, bins: table };
};

// At each confidence, falling: the share of clips that are answered, and how many of these answers are right.
const riskCoverage = (system, rows) => {
  const confidence = Float64Array.from(rows, (row) => -system.confidence[row]);
  const curve = { threshold: [], coverage: [], accuracy: [] };
  let right = 0;
  ascending(confidence).forEach((place, rank, order) => {
    right += system.prediction[rows[place]] === system.truth[rows[place]];
    if (rank + 1 < order.length && confidence[order[rank + 1]] === confidence[place]) return;
    curve.threshold.push(-confidence[place]);
    curve.coverage.push((rank + 1) / order.length);
    curve.accuracy.push(right / (rank + 1));
  });
  return curve;
};

const losses = (system, rows) => {
  const width = system.classes.length;
  let [logLoss, brier] = [0, 0];
  for (const row of rows) {
    const true_ = system.proba[row * width + system.truth[row]];
    logLoss -= Math.log(Math.max(true_, Number.EPSILON));
    let squares = 0;
    for (let place = 0; place < width; place++) squares += system.proba[row * width + place] ** 2;
    brier += squares - 2 * true_ + 1;
  }
  return { logLoss: logLoss / rows.length, brier: brier / rows.length };
};

// Everything that the page shows of one system on the chosen clips.
const scoresOf = (data, name, state) => {
  const system = opened(data, name);
  const rows = rowsOf(data, system, state);
  const about = { name, classes: system.classes, n: rows.length, counts: confusion(system, rows), rows };
  if (!rows.length) return about;
  return {
    ...about,
    ...intervals(data, system, rows, `${system.rows} ${JSON.stringify([state.filters ?? {}, state.emotion ?? ""])}`),
    ...losses(system, rows),
    ...calibration(data, system, rows),
    risk: riskCoverage(system, rows),
  };
};

const compute = (data, state) => {
  const begun = performance.now();
  const systems = state.systems.map((name) => scoresOf(data, name, state));
  return { systems, milliseconds: performance.now() - begun };
};

// Charts of the results, drawn by Vega-Lite; each has a table or a sentence beside it that says the same.
const LETTERS = ["A", "B", "C", "D"];
const COLOURS = ["#0a8ce4", "#d0571a", "#2f9b52", "#9f3faa"];
const SHAPES = ["circle", "square", "diamond", "triangle-up"];
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]];
const DRAWN = 200; // points of a curve
const FEWEST = 10; // answers that an accuracy is drawn of

const scale = (range) => ({ domain: LETTERS, range });
const marks = {
  color: { field: "letter", type: "nominal", scale: scale(COLOURS), legend: null },
  shape: { field: "letter", type: "nominal", scale: scale(SHAPES), legend: null },
  strokeDash: { field: "letter", type: "nominal", scale: scale(DASHES), legend: null },
};
const share = (field, title, more = {}) => ({ field, type: "quantitative", title, axis: { format: ".2~f", tickCount: 5 }, ...more });
const unit = { scale: { domain: [0, 1] } };
const offset = { field: "letter", type: "nominal", scale: { domain: LETTERS } };
const point = { type: "point", filled: true, size: 70, opacity: 1 };

const dots = (row, title, height) => ({
  height,
  layer: [
    { mark: { type: "rule", strokeWidth: 2 }, transform: [{ filter: "isValid(datum.low)" }],
      encoding: { x: share("low", title, unit), x2: { field: "high" }, color: marks.color } },
    { mark: point, encoding: { x: share("value", title, unit), color: marks.color, shape: marks.shape,
      tooltip: { field: "tip" } } },
    { mark: { type: "rule", strokeDash: [4, 4] }, transform: [{ filter: "isValid(datum.chance)" }],
      encoding: { x: { aggregate: "max", field: "chance", type: "quantitative" }, y: null, yOffset: null } },
  ],
  encoding: { y: { field: row, type: "nominal", sort: null, title: null }, yOffset: offset },
});

const CHARTS = {
  scores: dots("metric", "score", 200),
  recall: dots("emotion", "recall", 320),
  calibration: {
    height: 300,
    layer: [
      { data: { values: [{ at: 0 }, { at: 1 }] }, mark: { type: "line", strokeDash: [4, 4], strokeWidth: 1 },
        encoding: { x: share("at", "confidence", unit), y: share("at", "share right", unit) } },
      { mark: { type: "line", strokeWidth: 1.5 },
        encoding: { color: marks.color, strokeDash: marks.strokeDash } },
      { mark: point, encoding: { color: marks.color, shape: marks.shape, tooltip: { field: "tip" } } },
    ],
    encoding: { x: share("confidence", "confidence", unit), y: share("right", "share right", unit) },
  },
  risk: {
    height: 300,
    mark: { type: "line", strokeWidth: 2 },
    encoding: {
      x: share("coverage", "share of clips answered", unit),
      y: share("accuracy", "accuracy of these answers", { scale: { zero: false } }),
      color: marks.color,
      strokeDash: marks.strokeDash,
    },
  },
};

const themed = () => {
  const style = getComputedStyle(document.documentElement);
  const [ink, rule, muted] = ["--ink", "--rule", "--muted"].map((name) => style.getPropertyValue(name).trim());
  const font = style.getPropertyValue("--sans").trim();
  return {
    background: null,
    font,
    axis: { labelColor: ink, titleColor: ink, gridColor: rule, domainColor: muted, tickColor: muted, labelFontSize: 12,
      titleFontSize: 12, titleFontWeight: "normal", labelLimit: 120 },
    rule: { color: ink },
    line: { color: muted },
    view: { stroke: null },
    aria: false,
  };
};

// One view a chart; its data change, it is drawn anew only for another theme.
class Chart {
  constructor(name) {
    this.spec = CHARTS[name];
    this.box = document.getElementById(`explorer-chart-${name}`);
    this.words = "";
    this.rows = [];
    new ResizeObserver(() => this.fit()).observe(this.box);
  }

  async build() {
    const spec = { ...this.spec, data: { name: "rows", values: [] }, width: this.width(),
      autosize: { type: "fit", contains: "padding" } };
    const made = document.createElement("div");
    const options = { mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, config: themed(), logLevel: 1 };
    const { view } = await window.vegaEmbed(made, spec, options);
    this.view?.finalize();
    this.view = view;
    this.box.replaceChildren(made);
    await this.draw(this.rows, this.words);
  }

  width() {
    return Math.max(this.box.clientWidth, 200);
  }

  fit() {
    if (this.view && this.view.width() !== this.width()) this.view.width(this.width()).runAsync().then(() => this.name());
  }

  async draw(rows, words) {
    [this.rows, this.words] = [rows, words];
    await this.view?.data("rows", rows.map((row) => ({ ...row }))).runAsync();
    this.name();
  }

  name() {
    const drawing = this.box.querySelector("svg");
    drawing?.querySelectorAll("[role], [aria-label]").forEach((part) => { // the words say it better than part by part
      ["role", "aria-label", "aria-roledescription"].forEach((attribute) => part.removeAttribute(attribute));
    });
    drawing?.setAttribute("role", "img");
    drawing?.setAttribute("aria-label", this.words);
  }
}

const thinned = (size) => {
  if (size <= DRAWN) return Array.from({ length: size }, (_, place) => place);
  return Array.from({ length: DRAWN }, (_, place) => Math.round((place * (size - 1)) / (DRAWN - 1)));
};

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

// What the reader chooses, and what the page shows of it.
const $ = (name) => document.getElementById(`explorer-${name}`);
const MOST = LETTERS.length;
const FIRST_FILTERS = 3;
const STEP = 25; // rows of the table of errors
const MOST_ROWS = 5000; // of a table that is downloaded
const ORIGIN = { speaker: "speaker ", statement: "sentence ", intensity: "" }; // words before what is known of a clip

const make = (tag, attributes = {}, ...content) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...content);
  return element;
};
const number = (value) => value.toLocaleString("en-GB");
const decimal = (value, digits = 3) => {
  if (!Number.isFinite(value)) return "–";
  const isTie = Number.isInteger(value * 2 ** (digits + 1)); // then the even digit, as in the chapters' tables
  const rounded = isTie ? halfToEven(value * 10 ** digits) / 10 ** digits : value;
  return rounded.toFixed(digits).replace("-", "−").replace(/^(−?)0\./, "$1.");
};
const signed = (value) => (value.toFixed(2) * 1 > 0 ? "+" : "") + (value.toFixed(2) * 1 === 0 ? ".00" : decimal(value, 2));
const withInterval = ({ value, low, high }) =>
  decimal(value) + (Number.isFinite(low) ? ` [${decimal(low)}, ${decimal(high)}]` : "");

// A link that downloads rows of text as CSV.
const offered = (link, name, rows) => {
  const cell = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const text = rows.map((row) => row.map((value) => cell(String(value))).join(",")).join("\n");
  link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(`${text}\n`)}`;
  link.download = `${name}.csv`;
};

const badge = (place) => {
  const paths = [
    '<circle cx="6" cy="6" r="5"/>', '<rect x="1.5" y="1.5" width="9" height="9"/>', '<path d="M6 0 12 6 6 12 0 6Z"/>',
    '<path d="M6 1 11.5 11 .5 11Z"/>',
  ];
  const mark = make("span", { class: "badge" });
  mark.innerHTML = `<svg viewBox="0 0 12 12" aria-hidden="true" fill="${COLOURS[place]}">${paths[place]}</svg>`;
  mark.append(LETTERS[place]);
  return mark;
};

const start = async () => {
  const data = await unpacked(window.serPredictions);
  const { about, columns, systems } = data;
  const clipsOf = new Map();
  for (const one of systems.values()) {
    if (!clipsOf.has(one.selection)) clipsOf.set(one.selection, new Set());
    data.list(one.rows).clips.forEach((clip) => clipsOf.get(one.selection).add(clip));
  }
  const ofSelection = (name) => [...systems.values()].filter((one) => one.selection === name);
  const title = (one) => `${about.tasks[one.task]}: ${one.label}`;

  // The state: what the address holds ----------------------------------------------------------------------------
  const preferred = (selection) => {
    const all = ofSelection(selection);
    const first = all.find((one) => one.task === "speaker_independent") ?? all[0];
    const same = all.find((one) => one.task === "random" && one.label === first.label && one !== first);
    return [first, same].filter(Boolean).map((one) => one.name);
  };
  const corrected = (wish) => {
    const selection = about.selections[wish.selection] ? wish.selection : Object.keys(about.selections)[0];
    let names = [...new Set(wish.systems)].filter((name) => systems.get(name)?.selection === selection).slice(0, MOST);
    if (!names.length) names = preferred(selection);
    const filters = Object.fromEntries(Object.entries(wish.filters)
      .filter(([name, value]) => columns.get(name)?.levels.includes(value)));
    const classes = new Set(names.flatMap((name) => systems.get(name).classes));
    const emotion = classes.has(wish.emotion) ? wish.emotion : "";
    const matrix = ["shares", "counts", "difference"].includes(wish.matrix) ? wish.matrix : "shares";
    const of = Math.min(Math.max(LETTERS.indexOf(wish.of), 0), names.length - 1);
    return { selection, systems: names, filters, emotion, matrix, of: LETTERS[of] };
  };
  const plus = (name) => name.replaceAll(" ", "+"); // an address says + for a space, and names have none
  const read = () => {
    const address = new URLSearchParams(location.hash.slice(1));
    const filters = Object.fromEntries([...columns.keys()].filter((name) => address.has(name)).map((name) => [name, address.get(name)]));
    const plain = Object.fromEntries(["emotion", "matrix", "of"].map((name) => [name, address.get(name) ?? ""]));
    return corrected({ selection: address.get("corpus"), systems: address.getAll("system").map(plus), filters, ...plain });
  };
  const written = (state) => {
    const address = new URLSearchParams([["corpus", state.selection], ...state.systems.map((name) => ["system", name])]);
    for (const [name, value] of Object.entries(state.filters)) address.set(name, value);
    if (state.emotion) address.set("emotion", state.emotion);
    if (state.matrix !== "shares") address.set("matrix", state.matrix);
    if (state.of !== "A") address.set("of", state.of);
    return `#${address.toString().replaceAll("%2F", "/").replaceAll("%2B", "+")}`;
  };
  let state = read();
  let results = null;
  let longer = STEP;

  // Choices ------------------------------------------------------------------------------------------------------
  const options = (select, pairs, value) => {
    select.replaceChildren(...pairs.map(([name, text]) => make("option", { value: name }, text)));
    select.value = value;
  };
  const tasksOf = (selection) => [...new Set(ofSelection(selection).map((one) => one.task))];
  const inTask = (task) => ofSelection(state.selection).filter((one) => one.task === task);
  const slot = (name, place) => {
    const one = systems.get(name);
    const [task, system] = ["task", "system"].map((what) => make("select", { id: `explorer-${what}-${place}` }));
    const fill = (chosen) => {
      options(system, inTask(chosen.task).map((other) => [other.name, other.label]), chosen.name);
    };
    options(task, tasksOf(state.selection).map((key) => [key, about.tasks[key]]), one.task);
    fill(one);
    const change = (other) => {
      fill(other);
      update({ systems: state.systems.map((known, at) => (at === place ? other.name : known)) });
    };
    task.addEventListener("change", () => {
      const before = systems.get(state.systems[place]);
      const some = inTask(task.value);
      change(some.find((other) => other.label === before.label) ??
        some.find((other) => alike(other.label, before.label)) ?? some[0]);
    });
    system.addEventListener("change", () => change(systems.get(system.value)));
    const remove = make("button", { type: "button", "aria-label": `Remove system ${LETTERS[place]}` }, "Remove");
    remove.addEventListener("click", () => {
      update({ systems: state.systems.filter((_, at) => at !== place) });
      slots();
      $("add").focus();
    });
    const labels = [make("label", { for: task.id }, "Protocol"), make("label", { for: system.id }, "System")];
    const head = make("div", { class: "head" }, badge(place), ...(state.systems.length > 1 ? [remove] : []));
    return make("div", { class: "slot", role: "group", "aria-label": `System ${LETTERS[place]}` },
      head, labels[0], task, labels[1], system);
  };
  const alike = (one, other) => one.split(", ").slice(0, 2).join() === other.split(", ").slice(0, 2).join();
  const slots = () => {
    $("slots").replaceChildren(...state.systems.map(slot));
    $("add").hidden = state.systems.length === MOST;
  };
  const levelsHere = (column) => {
    const here = new Set([...clipsOf.get(state.selection)].map((clip) => column.codes[clip]));
    return column.levels.filter((_, level) => here.has(level));
  };
  const choice = (name, heading, pairs, value, changed) => {
    const select = make("select", { id: `explorer-by-${name}` });
    options(select, [["", "all"], ...pairs], value);
    select.addEventListener("change", () => changed(select.value));
    return [make("label", { for: select.id }, heading), select];
  };
  const emotionChoice = () => {
    const classes = Object.keys(about.emotions).filter((name) => state.systems.some((one) => systems.get(one).classes.includes(name)));
    return choice("emotion", "True emotion", classes.map((name) => [name, about.emotions[name]]), state.emotion,
      (emotion) => update({ emotion }));
  };
  const filters = () => {
    const fields = [...columns.values()].map((column) => [column, levelsHere(column)]).filter(([, levels]) => levels.length > 1)
      .map(([column, levels]) => choice(column.name, column.heading, levels.map((level) => [level, level]),
        state.filters[column.name] ?? "", (value) => {
          const { [column.name]: _, ...rest } = state.filters;
          update({ filters: value ? { ...rest, [column.name]: value } : rest });
        }));
    $("filters").replaceChildren(...emotionChoice(), ...fields.slice(0, FIRST_FILTERS).flat());
    $("more").replaceChildren(...fields.slice(FIRST_FILTERS).flat());
    $("more").parentElement.hidden = fields.length <= FIRST_FILTERS;
  };
  const everything = () => {
    options($("corpus"), Object.entries(about.selections), state.selection);
    slots();
    filters();
    document.querySelector(`[name=matrix][value=${state.matrix}]`).checked = true;
  };

  // Results ------------------------------------------------------------------------------------------------------
  const named = (place) => title(systems.get(state.systems[place]));
  const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
  const cells = (tag, values, attributes = {}) => values.map((value) => make(tag, attributes, value));
  const showScores = () => {
    const headings = ["Clips", "UAR", "Accuracy", "Log loss", "Brier score", "ECE (if calibrated)"];
    const head = make("tr", {}, make("th", { scope: "col" }, "System"), ...cells("th", headings, { scope: "col", class: "n" }));
    const rows = results.systems.map((one, place) => {
      const values = one.n ? [number(one.n), withInterval(one.uar), withInterval(one.accuracy), decimal(one.logLoss),
        decimal(one.brier), `${decimal(one.ece)} (${decimal(one.eceIfCalibrated)})`] : ["0", ...new Array(5).fill("–")];
      return make("tr", {}, make("th", { scope: "row" }, badge(place), named(place)), ...cells("td", values, { class: "n" }));
    });
    $("scores").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
    $("intervals").textContent = kinds();
    const columns_ = ["system", "clips", "uar", "uar_low", "uar_high", "accuracy", "accuracy_low", "accuracy_high", "log_loss", "brier",
      "ece", "ece_if_calibrated", "interval", "address"];
    offered($("scores-csv"), "explorer_scores", [columns_, ...results.systems.map((one) => [one.name, one.n, ...(one.n
      ? [one.uar, one.accuracy].flatMap((score) => [score.value, score.low, score.high]).concat(one.logLoss, one.brier, one.ece,
        one.eceIfCalibrated, one.kind) : new Array(10).fill("")), written(state)])]);
  };
  const kinds = () => {
    const words = {
      bootstrap: (one) => `a bootstrap over ${one.speakers} speakers (${number(about.resamples)} resamples)`,
      jackknife: (one) => `a jackknife that leaves out one of ${one.speakers} speakers at a time`,
      clips: (one) => `a jackknife over groups of clips, since ${Number.isFinite(one.speakers) ? plural(one.speakers, "speaker") +
        " cannot stand for others" : "speakers are unknown"}: these voices only`,
    };
    const each = new Map();
    results.systems.forEach((one, place) => {
      if (!one.n) return;
      const text = words[one.kind](one);
      each.set(text, [...(each.get(text) ?? []), LETTERS[place]]);
    });
    const text = [...each].map(([kind, letters]) => (each.size > 1 ? `${letters.join(" and ")}: ${kind}` : kind)).join("; ");
    const few = results.systems.some((one) => one.n && one.kind !== "bootstrap");
    const alone = state.emotion ? " Of one emotion, UAR is its recall, and accuracy is the same." : "";
    return (text ? `95 % intervals are ${text}.` : "") + (few ? " With few speakers they are wide; read small groups as examples." : "") + alone;
  };
  const draw = () => {
    const several = (make_) => results.systems.flatMap((one, place) => (one.n ? make_(one, LETTERS[place]) : []));
    const inWords = (make_) => results.systems.map((one, place) => `${LETTERS[place]}: ${one.n ? make_(one) : "no clip"}`).join("; ");
    const order_ = [...displayOrder(results.systems.flatMap((one) => one.classes))];
    charts.scores?.draw(several((one, letter) => ["UAR", "Accuracy"].map((metric) => {
      const score = metric === "UAR" ? one.uar : one.accuracy;
      const [low, high] = Number.isFinite(score.low) ? [score.low, score.high] : [null, null];
      const classes = one.counts.filter((row) => sum(row)).length;
      return { letter, metric, value: score.value, low, high, chance: state.emotion ? null : 1 / classes, tip: `${letter}: ${metric} ${withInterval(score)}` };
    })), `Scores. ${inWords((one) => `UAR ${withInterval(one.uar)}, accuracy ${withInterval(one.accuracy)}`)}.`);
    const recalls = (one) => order_.filter((name) => sum(one.counts[one.classes.indexOf(name)] ?? []))
      .map((name) => [name, one.counts[one.classes.indexOf(name)]])
      .map(([name, row]) => ({ name, value: row[one.classes.indexOf(name)] / sum(row) }));
    const order = order_.filter((name) => results.systems.some((one) => recalls(one).some((other) => other.name === name)));
    const listed = several((one, letter) => recalls(one).map(({ name, value }) => ({ letter, emotion: about.emotions[name], value, low: null,
      high: null, chance: null, at: order.indexOf(name), tip: `${letter}: ${about.emotions[name]} ${decimal(value)}` })));
    charts.recall?.draw(listed.sort((a, b) => a.at - b.at),
      `Recall. ${inWords((one) => recalls(one).map(({ name, value }) => `${about.emotions[name]} ${decimal(value, 2)}`).join(", "))}.`);
    charts.calibration?.draw(several((one, letter) => one.bins.map((bin) => ({ letter, ...bin,
      tip: `${letter}: confidence ${decimal(bin.confidence, 2)}, right ${decimal(bin.right, 2)}, ${plural(bin.n, "clip")}` }))),
    `Calibration. ${inWords((one) => `expected calibration error ${decimal(one.ece)}`)}.`);
    charts.risk?.draw(several((one, letter) => thinned(one.risk.coverage.length).filter((place) => one.risk.coverage[place] * one.n >= Math.min(FEWEST, one.n))
      .map((place) => ({ letter, coverage: one.risk.coverage[place], accuracy: one.risk.accuracy[place] }))),
    `Accuracy by share of clips answered. ${inWords((one) => `${decimal(answering(one, 0.5), 2)} at half of the clips, ${decimal(one.risk.accuracy.at(-1), 2)} at all`)}.`);
  };
  const answering = (one, coverage) => one.risk.accuracy[one.risk.coverage.findIndex((value) => value >= coverage)];
  const displayOrder = (classes) => {
    const known = Object.keys(about.emotions);
    return [...new Set(classes)].sort((a, b) => known.indexOf(a) - known.indexOf(b));
  };

  // Confusion matrices -------------------------------------------------------------------------------------------
  const shares = (one) => one.counts.map((row) => row.map((count) => count / sum(row)));
  const sameClasses = () => results.systems.length > 1 && results.systems[0].n && results.systems[1].n &&
    results.systems[0].classes.join() === results.systems[1].classes.join();
  const matrix = (one, values, text, caption, strength) => {
    const classes = displayOrder(one.classes);
    const at = (name) => one.classes.indexOf(name);
    const head = make("tr", {}, make("th", { scope: "col" }, "true"), ...classes.map((name) =>
      make("th", { scope: "col", class: "upright" }, make("span", {}, about.emotions[name]))));
    const rows = classes.map((name) => make("tr", {}, make("th", { scope: "row" }, about.emotions[name]), ...classes.map((other) => {
      const value = values[at(name)][at(other)];
      const style = Number.isFinite(value) ? `background:${shade(strength(at(name), value), value < 0)}` : null;
      return make("td", { class: name === other ? "n diagonal" : "n", style }, Number.isFinite(value) ? text(value) : "–");
    })));
    const table = make("table", { class: "matrix" }, make("caption", {}, ...caption), make("thead", {}, head), make("tbody", {}, ...rows));
    return make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": table.caption.textContent }, table);
  };
  const shade = (strength, negative) => { // a colour between page and accent; the numbers say the same
    const style = getComputedStyle(document.documentElement);
    const rgb = (name) => style.getPropertyValue(name).trim().match(/[\da-f]{2}/gi).map((part) => parseInt(part, 16));
    const [paper, colour] = [rgb("--paper"), rgb(negative ? "--warn" : "--accent")];
    const most = paper[0] > 127 ? 0.5 : 0.42;
    return `rgb(${paper.map((part, place) => Math.round(part + (colour[place] - part) * Math.min(strength, 1) * most)).join(" ")})`;
  };
  const showMatrices = () => {
    const possible = sameClasses();
    const radio = document.querySelector("[name=matrix][value=difference]");
    radio.disabled = !possible;
    const mode = state.matrix === "difference" && !possible ? "shares" : state.matrix;
    document.querySelector(`[name=matrix][value=${mode}]`).checked = true;
    const plain = (one, place) => {
      const caption = [badge(place), named(place)];
      if (!one.n) return make("p", { class: "small" }, ...caption, ": no such clip.");
      if (mode === "shares") return matrix(one, shares(one), (value) => decimal(value, 2), caption, (_, value) => value);
      return matrix(one, one.counts.map((row) => row.map((count) => (sum(row) ? count : NaN))), number, caption,
        (row, value) => value / sum(one.counts[row]));
    };
    if (mode !== "difference") return $("matrices").replaceChildren(...results.systems.map(plain));
    const [a, b] = results.systems.map(shares);
    const gaps = a.map((row, place) => row.map((value, other) => value - b[place][other]));
    const caption = [badge(0), "minus ", badge(1), "shares of each true emotion; + where A gives the answer more often"];
    return $("matrices").replaceChildren(matrix(results.systems[0], gaps, signed, caption, (_, value) => Math.abs(value) * 2));
  };

  // Errors -------------------------------------------------------------------------------------------------------
  const top = (system, row) => displayOrder(system.classes)
    .map((name) => [name, system.proba[row * system.classes.length + system.classes.indexOf(name)]])
    .sort((a, b) => b[1] - a[1]).slice(0, 3);
  const answer = (name, clip) => {
    const system = systems.get(name);
    const row = system.clips.indexOf(clip);
    if (row < 0) return make("td", { class: "muted" }, "–");
    const right = system.prediction[row] === system.truth[row];
    const words = top(system, row).map(([one, share_]) => `${about.emotions[one]} ${decimal(share_, 2)}`).join(", ");
    return make("td", {}, make("b", { class: right ? "right" : "wrong" }, right ? "right" : "wrong"), ` ${words}`);
  };
  const listeners = (clip) => {
    const votes = about.votes.map((name, place) => [name, data.votes[clip * about.votes.length + place]]).filter(([, count]) => count);
    if (votes.length) return votes.sort((a, b) => b[1] - a[1]).map(([name, count]) => `${about.emotions[name] ?? name} ${count}`).join(", ");
    return data.recognition[clip] === UNKNOWN ? "–" : `${data.recognition[clip]} % recognise it`;
  };
  const origin = (clip) => ["speaker", "statement", "intensity"].map((name) => [name, columns.get(name)])
    .filter(([, column]) => column && column.codes[clip] !== UNKNOWN)
    .map(([name, column]) => ORIGIN[name] + column.levels[column.codes[clip]]).join(", ");
  const sheets = new Map([...document.querySelectorAll("[data-thumbnails]")].map(({ dataset }) => [dataset.thumbnails, dataset.src]));
  const thumbnail = (clip, own) => {
    const address = sheets.get(about.clips[clip].split("/")[0]);
    if (!address) return [];
    const { columns: perRow, width, height } = about.tiles;
    const [left, up] = [(data.tile[clip] % perRow) * width, Math.floor(data.tile[clip] / perRow) * height];
    const style = `background: url("${address}") -${left}px -${up}px; width: ${width}px; height: ${height}px`;
    return [make("span", { class: "thumbnail", role: "img", "aria-label": `Spectrogram of ${own}`, style })];
  };
  const showErrors = () => {
    const place = LETTERS.indexOf(state.of);
    options($("of"), state.systems.map((_, at) => [LETTERS[at], `${LETTERS[at]}: ${named(at)}`]), state.of);
    const one = results.systems[place];
    const system = systems.get(one.name);
    const wrong = one.rows.filter((row) => system.prediction[row] !== system.truth[row])
      .sort((a, b) => system.confidence[b] - system.confidence[a] || a - b);
    const some = wrong.slice(0, longer);
    const hasVotes = some.some((row) => listeners(system.clips[row]) !== "–");
    const hasAudio = some.some((row) => canPlay(system.clips[row]));
    const headings = ["Clip", "True", ...state.systems.map((_, at) => `${LETTERS[at]}: likeliest three`), ...(hasVotes ? ["Listeners"] : []),
      ...(hasAudio ? ["Recording"] : [])];
    const rows = some.map((row) => {
      const clip = system.clips[row];
      const own = about.clips[clip].slice(about.clips[clip].indexOf("/") + 1);
      return make("tr", {}, make("th", { scope: "row" }, ...thumbnail(clip, own), own, make("small", {}, origin(clip))), make("td", {}, about.emotions[system.classes[system.truth[row]]]),
        ...state.systems.map((name) => answer(name, clip)), ...(hasVotes ? [make("td", {}, listeners(clip))] : []),
        ...(hasAudio ? [make("td", {}, player(clip, own))] : []));
    });
    $("errors").replaceChildren(make("thead", {}, make("tr", {}, ...cells("th", headings, { scope: "col" }))), make("tbody", {}, ...rows));
    $("errors").hidden = !wrong.length;
    $("count").textContent = wrong.length ? `${number(wrong.length)} of ${plural(one.n, "answer")} are wrong; the surest first.` : "No wrong answer.";
    $("longer").hidden = wrong.length <= longer;
    offered($("errors-csv"), "explorer_errors", [["clip", "true", "predicted", ...system.classes.map((name) => `p_${name}`)],
      ...wrong.slice(0, MOST_ROWS).map((row) => [about.clips[system.clips[row]], system.classes[system.truth[row]],
        system.classes[system.prediction[row]], ...system.classes.map((_, at) => system.proba[row * system.classes.length + at].toFixed(4))])]);
  };
  const canPlay = (clip) => location.protocol === "file:" && about.public.includes(about.clips[clip].split("/")[0]);
  const player = (clip, own) => {
    const button = make("button", { type: "button", "aria-label": `Listen to ${own}` }, "Listen");
    button.addEventListener("click", async () => {
      const missing = make("span", { class: "small", role: "status" }, "not on this machine");
      const address = (await recordings())?.[about.clips[clip]];
      if (!address) return button.replaceWith(missing);
      const audio = make("audio", { controls: true, src: address, "aria-label": own });
      audio.addEventListener("error", () => audio.replaceWith(missing));
      button.replaceWith(audio);
      audio.focus();
      return audio.play().catch(() => {});
    });
    return button;
  };
  let places = null; // the list of recordings is on the machine that made the page, and nowhere else
  const recordings = () => {
    places ??= new Promise((done) => {
      const script = make("script", { src: "explorer-audio.js" });
      script.addEventListener("load", () => done(window.serRecordings));
      script.addEventListener("error", () => done(null));
      document.head.append(script);
    });
    return places;
  };

  // Together -----------------------------------------------------------------------------------------------------
  const show = () => {
    const begun = performance.now();
    results = compute(data, state);
    const [first] = results.systems;
    $("status").textContent = `${plural(first.n, "clip")}${Number.isFinite(first.speakers) ? ` of ${plural(first.speakers, "speaker")}` : ""}`;
    showScores();
    showMatrices();
    showErrors();
    showDegraded(about, state.selection);
    draw();
    explorer.milliseconds = performance.now() - begun;
  };
  const update = (change) => {
    state = corrected({ ...state, ...change });
    if (!("of" in change)) longer = STEP;
    history.replaceState(null, "", written(state));
    show();
  };
  const charts = {};
  const explorer = {
    about,
    compute: (wish) => compute(data, { filters: {}, emotion: "", ...wish }),
    state: () => structuredClone(state),
    set: (wish) => {
      update(wish);
      everything();
    },
    milliseconds: NaN,
  };

  $("corpus").addEventListener("change", () => {
    const selection = $("corpus").value;
    const moved = state.systems.map((name) => selection + name.slice(state.selection.length));
    update({ selection, systems: moved.filter((name) => systems.has(name)), filters: {} });
    everything();
  });
  $("add").addEventListener("click", () => {
    const next = ofSelection(state.selection).find((one) => one.task === systems.get(state.systems[0]).task && !state.systems.includes(one.name))
      ?? ofSelection(state.selection).find((one) => !state.systems.includes(one.name));
    if (!next) return;
    update({ systems: [...state.systems, next.name] });
    slots();
    document.getElementById(`explorer-task-${state.systems.length - 1}`).focus();
  });
  $("reset").addEventListener("click", () => {
    update({ filters: {}, emotion: "" });
    filters();
  });
  $("matrix").addEventListener("change", (event) => {
    state = corrected({ ...state, matrix: event.target.value });
    history.replaceState(null, "", written(state));
    showMatrices();
  });
  $("of").addEventListener("change", () => update({ of: $("of").value }));
  $("longer").addEventListener("click", () => {
    longer += STEP;
    showErrors();
  });
  addEventListener("hashchange", () => {
    if (!new URLSearchParams(location.hash.slice(1)).has("corpus")) { // a link to a section of this page
      history.replaceState(null, "", written(state));
      return;
    }
    state = read();
    everything();
    show();
  });
  document.querySelector(".choices").addEventListener("submit", (event) => event.preventDefault());

  document.querySelector(".explorer").hidden = false;
  $("about").textContent = whatIsHere(about);
  everything();
  if (window.vegaEmbed) {
    for (const name of Object.keys(CHARTS)) charts[name] = new Chart(name);
    await Promise.all(Object.values(charts).map((chart) => chart.build()));
  } else {
    document.querySelectorAll(".charts").forEach((box) => { box.hidden = true; });
  }
  show();
  const redraw = () => {
    Object.values(charts).forEach((chart) => chart.build());
    showMatrices();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return explorer;
};

const whatIsHere = (about) => {
  const per = new Map();
  about.systems.forEach((one) => per.set(one.selection, (per.get(one.selection) ?? 0) + 1));
  const each = [...per].map(([name, count]) => `${about.selections[name]} ${count}`).join(", ");
  return `Test predictions of ${number(about.systems.length)} experiments (${each}) on ${number(about.clips.length)} clips. ` +
    "These are the benchmark, the splitting rules and the tests on another corpus, as far as each clip is predicted once. " +
    `Not here: ${number(about.leftOut)} experiments with deliberate leaks, shuffled labels, cut training sets, several draws or ` +
    "another recipe than a feature and a model; their scores are in the chapters. Probabilities are those that the chapters compute " +
    "with, one byte each.";
};

window.explorer = { ready: null };
window.explorer.ready = (async () => {
  try {
    if (!("DecompressionStream" in window)) throw new Error("this browser cannot unpack gzip; a newer one can");
    if (!window.serPredictions) throw new Error("assets/explorer-data.js is not beside this page");
    window.explorer = Object.assign(await start(), { ready: window.explorer.ready });
  } catch (error) {
    const problem = document.getElementById("explorer-problem");
    problem.textContent = `The explorer cannot start: ${error.message}.`;
    problem.hidden = false;
  }
})();
})();
