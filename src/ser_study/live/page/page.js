/* The page: asks for the model, then lets people listen, send a recording and read how good it is. */

import { Waveform, drawTimeline } from "./drawing.js";
import { Listener } from "./listen.js";
import { prepareQuality } from "./quality.js";
import { prepareUpload, redraw } from "./upload.js";
import { NO_SPEECH, UNSURE, bars, byId, colourOf, detailOf, titled, voiceOf } from "./words.js";

const SPAN = 60; // s of history
const OFF = "Not listening";
const QUIET = 3; // s between two announcements to screen readers
const STATES = { // state → words, button, whether it is a problem
  off: ["Off. Nothing is recorded or kept.", "Start listening", ""],
  asking: ["Waiting for the browser's permission …", "Stop", ""],
  connecting: ["Connecting …", "Stop", ""],
  listening: ["Listening.", "Stop listening", ""],
  reconnecting: ["Not connected.", "Stop", "The connection to the server is lost; trying again. Is it still running?"],
  busy: ["Waiting for a place.", "Stop", "The server is busy with other listeners; trying again every 5 s."],
  refused: ["Off.", "Try again", "The browser does not allow the microphone. Allow it beside the address of this page, then try again. A recording can be sent below."],
  missing: ["Off.", "Try again", "There is no microphone, or another program holds it. Connect one and try again, or send a recording below."],
  insecure: ["Off.", "Try again", "Browsers give the microphone only to this machine's own pages or over HTTPS. A recording can be sent below."],
  failed: ["Off.", "Try again", "The microphone could not be opened. Load the page again, or send a recording below."],
};
const RUNNING = new Set(["asking", "connecting", "listening", "reconnecting", "busy"]);

let model = null, setBars = () => {}, state = "off", offset = 0, last = 0, announced = 0, dropped = 0, late = -Infinity;
const rows = [];
const wave = new Waveform(byId("wave"));
const listener = new Listener({ onState, onSound: (samples, rate) => wave.push(samples, rate), onWindow });

function onState(name) {
  state = name;
  const [words, button, problem] = STATES[name];
  byId("state").textContent = words;
  byId("start").textContent = button;
  byId("start").setAttribute("aria-pressed", String(RUNNING.has(name)));
  byId("notice").textContent = problem;
  byId("notice").hidden = !problem;
  if (name === "connecting" || name === "reconnecting") [offset, dropped] = [last, 0]; // a new connection counts anew
  calm();
  if (!problem) announce(words);
}

/** No answer is on the page that is not of now. */
function calm() {
  setBars(null);
  byId("label").textContent = state === "listening" ? "…" : OFF;
  byId("label").classList.add("none");
  byId("label").style.removeProperty("--colour");
  byId("detail").textContent = "The answer appears here, twice a second.";
}

function onWindow(row) {
  if (state !== "listening") return;
  last = offset + row.end;
  rows.push({ ...row, end: last, step: 0.5 });
  while (rows.length && rows[0].end < last - SPAN) rows.shift();
  setBars(row.probabilities);
  const label = byId("label"), before = label.textContent;
  label.textContent = titled(row.emotion);
  label.classList.remove("none");
  label.style.setProperty("--colour", [UNSURE, NO_SPEECH].includes(row.emotion) ? "var(--rule)" : colourOf(row.emotion));
  byId("detail").textContent = detailOf(row, model?.threshold);
  if (row.dropped > dropped) late = last;
  dropped = row.dropped;
  byId("state").textContent = last - late < 5 ? "Listening. The server is slow, so some answers are left out." : STATES.listening[0];
  byId("voice").textContent = voiceOf(row);
  drawHistory();
  if (before !== label.textContent && last - announced >= QUIET) {
    announced = last;
    announce(`${label.textContent}. ${byId("detail").textContent}`);
  }
}

function drawHistory() {
  const to = Math.max(SPAN, last), ago = (time) => time >= to - 0.5 && last >= to ? "now" : `−${Math.round(to - time)} s`;
  drawTimeline(byId("history"), rows, { classes: model?.classes ?? [], from: to - SPAN, to, name: last < SPAN ? undefined : ago });
  const newest = rows.at(-1);
  if (newest) byId("history").setAttribute("aria-label", `Answers of the last minute; the newest is ${newest.emotion}`);
}

const announce = (text) => { byId("announce").textContent = text; };

function drawAll() {
  wave.draw();
  drawHistory();
  redraw();
}

byId("start").addEventListener("click", () => {
  if (RUNNING.has(state)) listener.stop();
  else listener.start();
});
window.addEventListener("resize", drawAll);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
prepareUpload();

try {
  model = await (await fetch("v1/model")).json();
  byId("model").textContent = model.title;
  setBars = bars(byId("bars"), model.classes, model.threshold);
  setBars(null);
  byId("threshold").hidden = model.threshold == null;
} catch {
  byId("notice").textContent = "The server cannot be reached; load the page again when it runs.";
  byId("notice").hidden = false;
}
prepareQuality(model);
drawAll();
document.documentElement.dataset.ready = "yes"; // for tests
