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
