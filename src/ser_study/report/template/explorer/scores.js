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
