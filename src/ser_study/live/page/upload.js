/* A recording: chosen or dropped, sent, and its answer drawn, one timeline a channel. */

import { drawTimeline } from "./drawing.js";
import { NO_SPEECH, UNSURE, bars, byId, clock, colourOf, detailOf, element, percent, table, titled, voiceOf } from "./words.js";

const drawn = [];

/** Make the field, the button and the drop zone work. */
export function prepareUpload() {
  const drop = byId("drop"), file = byId("file");
  file.addEventListener("change", () => { if (file.files[0]) send(file.files[0]); });
  for (const name of ["dragover", "dragenter"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => { if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]); });
}

/** Draw again, for another width or theme. */
export const redraw = () => drawn.forEach((draw) => draw());

async function send(file) {
  const drop = byId("drop"), progress = byId("progress"), notice = byId("upload-notice");
  if (drop.classList.contains("busy")) return;
  drop.classList.add("busy");
  byId("file").disabled = true;
  notice.hidden = true;
  progress.textContent = `Listening to ${file.name} …`;
  try {
    const form = new FormData();
    form.append("file", file);
    const response = await fetch("v1/predict", { method: "POST", body: form });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    show(file.name, answer);
    progress.textContent = `${file.name}, ${clock(answer.duration)}: ${answer.channels.map((one) => one.emotion).join(", ")}.`;
  } catch (error) {
    const lost = error instanceof TypeError || error instanceof SyntaxError;
    notice.textContent = lost ? "The server cannot be reached; is it running? Try again." : error.message;
    notice.hidden = false;
    progress.textContent = "";
  } finally {
    drop.classList.remove("busy");
    byId("file").disabled = false;
    byId("file").value = "";
  }
}

function show(name, answer) {
  drawn.length = 0;
  const warnings = answer.warnings.map((text) => element("p", { class: "notice mild" }, text));
  const key = [...answer.model.classes.map((one) => [titled(one), colourOf(one)]), ["Unsure", "var(--rule)"], ["No speech", "transparent"]];
  const legend = element("ul", { class: "key" }, ...key.map(([text, colour]) => element("li", { colour }, text)));
  const parts = answer.channels.map((channel) => channelPart(channel, answer));
  byId("result").replaceChildren(...warnings, ...parts, legend);
  redraw();
}

function channelPart(channel, answer) {
  const { classes, threshold } = answer.model, several = answer.channels.length > 1;
  const heading = element("h3", {}, several ? `Channel ${channel.channel + 1} (${channel.name})` : "Whole recording");
  const colour = [UNSURE, NO_SPEECH].includes(channel.emotion) ? "var(--rule)" : colourOf(channel.emotion);
  const label = element("p", { class: "label", colour }, titled(channel.emotion));
  const detail = element("p", { class: "quiet" }, detailOf(channel, threshold));
  const voice = element("p", { class: "quiet small" }, `${clock(channel.speech)} of speech. ${voiceOf(channel)}`);
  const list = element("ul", { class: "bars", "aria-label": "Probabilities" });
  bars(list, classes, threshold)(channel.probabilities);
  const canvas = element("canvas", { class: "timeline", role: "img", "aria-label": spoken(channel, several) });
  drawn.push(() => drawTimeline(canvas, channel.windows, { classes, from: 0, to: answer.duration }));
  const caption = element("figcaption", {}, "Over time ", element("span", { class: "quiet" }, "each window of 3 s drawn at its end"));
  const rows = channel.windows.map((row) => [clock(row.start), clock(row.end), row.emotion, percent(row.confidence)]);
  const windows = element("details", {}, element("summary", {}, "Windows as a table"), table(["#From", "#To", "Answer", "#Probability"], rows));
  const left = element("div", {}, heading, label, detail, list, voice);
  return element("div", { class: "channel columns" }, left, element("div", {}, element("figure", {}, caption, canvas), windows));
}

function spoken(channel, several) {
  const turns = channel.windows.filter((row, i, all) => i === 0 || all[i - 1].emotion !== row.emotion);
  const words = turns.slice(0, 20).map((row) => `${row.emotion} until ${clock(row.end)}`);
  return `Timeline${several ? ` of channel ${channel.channel + 1}` : ""}, changes: ${words.join(", ")}`;
}
