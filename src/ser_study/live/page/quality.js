/* The panel with the honest scores, the limits and the corpora, from the recogniser's own card. */

import { byId, element, percent, table, titled } from "./words.js";

const NAMES = {
  uar: "Mean recall over the emotions (UAR)", accuracy: "Share of clips that are right (accuracy)",
  log_loss: "Log loss", ece: "Calibration error (ECE)", ece_if_calibrated: "ECE that chance alone gives",
};

/** Fill the panel and make its buttons work. */
export function prepareQuality(model) {
  const panel = byId("quality");
  byId("quality-open").addEventListener("click", () => panel.showModal());
  byId("quality-close").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
  if (model) byId("quality-text").replaceChildren(...parts(model));
}

function parts(model) {
  const { uar, ...others } = model.scores, chance = 1 / model.classes.length;
  const title = (text) => element("h3", {}, text), words = (text) => element("p", {}, text);
  const list = [];
  if (uar) list.push(words(`On speakers that it was not fitted on, it recognises ${percent(uar.value)} of the clips of an emotion on average${between(uar)}. Guessing would give ${percent(chance)}.`));
  const unknown = Object.values(model.scores_of_unknown_corpus).map((one) => one.value);
  if (unknown.length) list.push(words(`Of a corpus that it has no clip of, it recognises ${percent(Math.min(...unknown))} to ${percent(Math.max(...unknown))}. Expect no more of your own recordings.`));
  if (model.threshold != null) list.push(words(`It answers when its probability is ${percent(model.threshold)} or more, and says that it is unsure otherwise.`));
  list.push(title("What it is for"), words(model.intended_use), title("Limits"), words(model.limits));
  const rows = Object.entries({ uar, ...others }).filter(([, one]) => one?.value != null).map(([key, one]) => {
    const show = key === "log_loss" ? (value) => value.toFixed(2) : percent;
    return [NAMES[key] ?? key, show(one.value), one.low == null ? "–" : `${show(one.low)} to ${show(one.high)}`, one.n, one.n_speakers];
  });
  list.push(title("Scores on speakers left out"), table(["Score", "#Value", "#Interval (95 %)", "#Clips", "#Speakers"], rows));
  const coverage = model.coverage.map((row) => [percent(row.aim), percent(row.coverage), percent(row.accuracy)]);
  if (coverage.length) list.push(title("Answering only when sure"), table(["#Aim", "#Answered", "#Of these right"], coverage));
  const elsewhere = model.corpora.filter((one) => model.scores_of_unknown_corpus[one.selection]);
  if (elsewhere.length) {
    const ranged = (score) => score ? `${percent(score.value)} (${percent(score.low)} to ${percent(score.high)})` : null;
    const shares = elsewhere.map((one) => [brief(one), ranged(model.scores_by_corpus[one.selection]), ranged(model.scores_of_unknown_corpus[one.selection])]);
    list.push(title("On recordings unlike those that it was fitted on"), words("Mean recall over the emotions: with other speakers of a corpus among the training clips, and with nothing of that corpus. Your own recordings are like the last column, or harder."));
    list.push(table(["Corpus", "#New speakers", "#New corpus"], shares));
  }
  const corpora = model.corpora.map((one) => [one.title, languageOf(one), one.clips, one.speakers, one.trained_on ? "yes" : "no", one.licence]);
  list.push(title("Corpora and their licences"), table(["Corpus", "Language", "#Clips", "#Speakers", "Fitted on", "Licence"], corpora));
  return list;
}

const between = (score) => score.low == null ? "" : ` (95 % interval ${percent(score.low)} to ${percent(score.high)}, ${score.n.toLocaleString("en")} clips of ${score.n_speakers} speakers)`;

const brief = (corpus) => corpus.title.split(/[,:(]/)[0].trim();

function languageOf({ language }) {
  if (!language) return null;
  try { return new Intl.DisplayNames("en", { type: "language" }).of(language); } catch { return titled(language); }
}
