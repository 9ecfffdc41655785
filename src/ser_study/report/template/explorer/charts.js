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
