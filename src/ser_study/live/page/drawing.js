/* The two drawings: a waveform that runs, and probabilities over time. */

import { NO_SPEECH, UNSURE, clock, colourOf } from "./words.js";

const STRIP = 12, BELOW = 20, LEFT = 44; // px: height of the answers, of the times, width of the percentages

/** The canvas at the resolution of the screen, empty; its context and its size in CSS pixels. */
function prepared(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Peaks of the last seconds of sound, drawn once a frame of the screen at most. */
export class Waveform {
  constructor(canvas, seconds = 6, perSecond = 50) {
    this.canvas = canvas;
    this.peaks = new Float32Array(seconds * perSecond);
    this.perSecond = perSecond;
    this.rest = 0;
    this.count = 0;
    this.waiting = false;
  }

  push(samples, sampleRate) {
    const wanted = sampleRate / this.perSecond;
    for (const sample of samples) {
      this.rest = Math.max(this.rest, Math.abs(sample));
      if (++this.count >= wanted) {
        this.peaks.copyWithin(0, 1);
        this.peaks[this.peaks.length - 1] = this.rest;
        this.rest = this.count = 0;
      }
    }
    this.ask();
  }

  ask() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const { context, width, height } = prepared(this.canvas);
    const step = width / this.peaks.length, middle = height / 2;
    context.fillStyle = colour("--accent");
    this.peaks.forEach((peak, i) => {
      const half = Math.max(0.5, Math.min(1, Math.sqrt(peak)) * (middle - 3)); // a root: speech is mostly faint
      context.fillRect(i * step, middle - half, Math.max(1, step - 0.7), 2 * half);
    });
  }
}

/** Steps of a time axis: at most so many, at round numbers of seconds. */
function ticks(from, to, most) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((one) => (to - from) / one <= most) ?? 1200;
  const list = [];
  for (let at = Math.ceil(from / step) * step; at <= to + 1e-9; at += step) list.push(at);
  return list;
}

/**
 * Probabilities stacked over time, and below them the answers as a strip.
 * Every window colours the time from the end of the one before it to its own end.
 */
export function drawTimeline(canvas, windows, { classes, from, to, name = clock }) {
  const { context, width, height } = prepared(canvas);
  const floor = height - BELOW - STRIP - 6, top = 6;
  const x = (time) => LEFT + (width - LEFT - 1) * (time - from) / (to - from || 1);
  const y = (share) => floor - (floor - top) * share;
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = colour("--raised");
  context.fillRect(LEFT, top, width - LEFT, floor - top);
  let before = from;
  for (const row of windows) {
    const { emotion } = row;
    const left = Math.max(before, from, row.end - 2 * (row.step ?? Infinity));
    before = row.end;
    if (row.end <= from) continue;
    const at = Math.round(x(left)), wide = Math.max(1, Math.round(x(row.end)) - at); // whole pixels leave no seams
    let below = 0;
    for (const one of row.probabilities ? classes : []) {
      const share = row.probabilities[one];
      context.fillStyle = colourOf(one);
      context.fillRect(at, y(below + share), wide, y(below) - y(below + share) + 0.3);
      below += share;
    }
    context.fillStyle = emotion === NO_SPEECH ? "transparent" : emotion === UNSURE ? colour("--rule") : colourOf(emotion);
    context.fillRect(at, floor + 6, wide, STRIP);
  }
  context.strokeStyle = colour("--rule");
  context.lineWidth = 1;
  context.strokeRect(LEFT + 0.5, floor + 6.5, width - LEFT - 1, STRIP - 1);
  context.fillStyle = colour("--muted");
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0, 0.5, 1]) context.fillText(`${100 * share} %`, LEFT - 6, y(share) + (share === 1 ? 4 : 0));
  context.textBaseline = "alphabetic";
  for (const tick of ticks(from, to, Math.max(2, width / 90))) {
    const at = x(tick), text = name(tick);
    const half = context.measureText(text).width / 2;
    context.textAlign = "center";
    context.fillText(text, Math.min(Math.max(at, LEFT + half), width - half), height - 4);
  }
}
