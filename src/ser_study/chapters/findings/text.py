"""Captions and sentences of the front page, computed from the tables of the run."""

from __future__ import annotations

import pandas as pd

from ser_study import corpora as corpus_info
from ser_study.chapters.findings import tables
from ser_study.chapters.findings.tables import RunTables
from ser_study.evaluation.intervals import MIN_JACKKNIFE
from ser_study.experiments.baselines import speaker_disjoint
from ser_study.plotting import baselines as baseline_plots
from ser_study.plotting import dots
from ser_study.wording import Caption, listed, share, signed, span, word


def introduction(run: RunTables, outside: pd.DataFrame) -> str:
    """What the page answers, a line each: the scores on new speakers, by how much a random split flatters, and what is
    left of them outside the studio (``tables.outside``)."""
    best = tables.headline(run)
    if best.empty:
        return (
            "These recordings allow no test on new speakers, so this run answers no question about voices that a model "
            "has never heard; chapter 03 says why. Name the speakers of more clips, or put another corpus beside them."
        )
    points = 100 * (best["random split"] - best["new speakers"])
    systems, score = ("systems", "score") if len(best) > 1 else ("system", "scores")
    best["anew"] = _chosen_anew(run, best)
    plain = (
        "**Without a pretrained network.** With hand-crafted features, chosen in each fold as the best systems are, "
        f"mean recall over the emotions (UAR) is {_scores(best, 'anew')}."
    )
    hidden = (
        f"**What usual scores hide.** On a random split the same hand-crafted {systems} {score} {span(points)} points "
        "more: there the speakers of the test clips are in training too, and so is the other take of what was recorded "
        "twice."
    )
    return "\n".join(f"- {line}" for line in [*_best(best), plain, hidden, *_outside(outside)])


def _chosen_anew(run: RunTables, best: pd.DataFrame) -> pd.Series:
    """Scores on hand-crafted features when the system is chosen in each fold; where none can be, of the one chosen."""
    return best["corpus"].map(run.headline.set_index("corpus")["nested"]).fillna(best["new speakers"])


def _best(table: pd.DataFrame) -> list[str]:
    """What the best of all systems score; nothing where none is better than the hand-crafted ones."""
    better = table[table["best score"] > table["anew"]]
    if better.empty:
        return []
    wrong = 10 * (1 - better["best score"])
    scores = _scores(better, "best score")
    best = f"**How well.** On voices that they have never heard the best systems of this study score UAR {scores}"
    people = better[better["listeners"].notna()]
    each = listed(f"{share(row['listeners'])} on {word(row['corpus'])}" for _, row in people.iterrows())
    beside = f" Listeners reach {each}, but their task was another: see the table of scores." if each else ""
    return [f"{best}: of ten clips, {span(wrong)} get a wrong name.{_no_better(table)}{beside}"]


def _no_better(table: pd.DataFrame) -> str:
    """The corpora on which the system chosen among all does not score above that on hand-crafted features."""
    rest = table[table["best score"] <= table["anew"]]
    each = [f"{word(row['corpus'])} ({share(row['best score'])})" for _, row in rest.iterrows()]
    nothing = "gains nothing over the hand-crafted systems"
    return f" On {listed(each)} the choice among all systems {nothing}." if each else ""


def _scores(table: pd.DataFrame, column: str) -> str:
    """A score a corpus."""
    return listed(f"**{share(row[column])}** on {word(row['corpus'])}" for _, row in table.iterrows())


def _outside(table: pd.DataFrame) -> list[str]:
    """What changes on the telephone, among people and on another corpus; nothing where it was not measured."""
    places = {"telephone": "on a telephone line", "babble": "with people talking behind"}
    known = table[table["n_speakers"] >= MIN_JACKKNIFE] if "n_speakers" in table else table  # two voices are no average
    changes = known[[name for name in places if name in known]].mean().dropna()
    if changes.empty:
        return []
    each = listed(f"{places[name]} by {signed(value, 0)} points" for name, value in changes.items())
    change = f"With encoders UAR changes {each} on average over corpora (chapter 7)"
    other = ""
    if "elsewhere" in table:
        ends = f"{share(table['within'].iloc[0])} to {share(table['elsewhere'].iloc[0])}"
        other = f" Trained on one corpus and tested on another: {table['moved'].iloc[0]}, from {ends} in the median."
    return [f"**Outside the studio.** {change}.{other} All of it is acted speech."]


def inflation(run: RunTables) -> Caption:
    """The main figure: random split against new speakers."""
    pairs = tables.inflation(run)
    if pairs.empty:
        empty = "No corpus of this run has scores on both a random split and new speakers."
        return Caption("front_inflation", "", empty=empty)
    words = " ".join([dots.inflation_caption(pairs), *_other_features(run, pairs["feature"].iloc[0])])
    return Caption("front_inflation", words, alt=dots.inflation_title(pairs))


def _other_features(run: RunTables, feature: str) -> list[str]:
    """Which of the chosen systems have other features than the figure, so that their scores are not in it."""
    other = run.headline[run.headline["feature"] != feature]
    if other.empty:
        return []
    each = listed(f"{word(row.corpus)} ({word(row.feature)})" for row in other.itertuples())
    return [f"The table of chosen systems has other features on {each}."]


def corpus_notes(run: RunTables) -> dict[str, str]:
    """Speakers and classes of each corpus, for the main figure."""
    columns = (run.corpora[name] for name in ("corpus", "speakers", "classes"))
    return {name: f"{speakers} speakers, {classes} emotions" for name, speakers, classes in zip(*columns)}


def headline(run: RunTables) -> Caption:
    """The chosen system of each corpus; what choosing it is worth; how it compares with listeners."""
    words = (
        "UAR on new speakers: the chosen system on hand-crafted features, beside its score on a random split, and what "
        "is chosen among all systems, anew in each fold; listeners and chance."
    )
    labels = {"system": "hand-crafted system", "best score": "new speakers"}
    finding = "\n\n".join([_nested(run), _beside_listeners(run)])
    return Caption("front_headline", words, finding=finding, labels=labels)


def _nested(run: RunTables) -> str:
    """What the choice of the system is worth: the score when it is made anew in each fold."""
    nested = run.headline[run.headline["nested"].notna()]
    if nested.empty:
        return "No corpus of this run has validation speakers to choose by."
    scores = listed(f"{word(row['corpus'])} {share(row['nested'])}" for _, row in nested.iterrows())
    return (
        "Every speaker is a validation speaker in one fold and a test speaker in another, so the choice is slightly "
        f"optimistic. Choosing anew in each fold, by that fold's validation speakers alone, gives {scores}."
    )


def _beside_listeners(run: RunTables) -> str:
    """How the chosen systems compare with single listeners."""
    table = tables.headline(run)
    known = table[table["listeners"].notna()]
    if known.empty:
        return "Nobody judged these clips one by one, so there is no human line."
    scores = [
        f"{word(row['corpus'])} {share(row['new speakers'])} {row['interval']} against {share(row['listeners'])}"
        for _, row in known.iterrows()
    ]
    text = f"Compared with one listener: {listed(scores)}. "
    if "ravdess-speech" in set(table["corpus"]):
        people = corpus_info.module("ravdess").INFO.human_figures
        text += (
            f"Listeners of RAVDESS speech are known by their accuracy alone: {share(people['speech, seven options'])}, "
            "with one answer for calm and neutral. "
        )
    low = run.headline.set_index("corpus")["low"].reindex(known["corpus"]).to_numpy()
    above = known[low > known["listeners"].to_numpy()]
    if len(above):
        text += (
            f"On {listed(word(name) for name in above['corpus'])} a model trained on the actors' intentions scores "
            "higher than listeners, who reported what they heard: the intention is in the voice, but people do not "
            "always hear it. "
        )
    if "emodb" in set(known["corpus"]):
        every = corpus_info.module("emodb").INFO.human_figures["mean class recall, all 816 recordings"]
        text += (
            "EMO-DB's line is for clips that were kept because these listeners recognised them; on all its recordings "
            f"it is {share(every)}. "
        )
    return text


def ladder(run: RunTables) -> Caption:
    """The figure of the protocols, from the leakiest to the strictest."""
    equal = run.ladder[run.ladder["size"] == "equal"].pivot(index="corpus", columns="protocol", values="value")
    equal = equal.reindex(columns=["random", "speaker_independent"])
    lost = 100 * (equal["random"] - equal["speaker_independent"]).dropna()
    title = f"At equal training size new speakers cost {span(lost)} points" if len(lost) else "Scores by protocol"
    return Caption(
        "front_ladder",
        "UAR of one model, one feature set, fixed hyperparameters. Filled: equal training size; hollow: all clips.",
        alt=title,
    )


def protocols(run: RunTables) -> Caption:
    """The recipes on every protocol, in short."""
    words = (
        "UAR with its interval of one recipe on hand-crafted features and one on an encoder, tuned anew in every "
        "protocol. One recipe is chosen over all folds, so on new speakers it can score above what is chosen in each "
        "fold. Another corpus: trained on all others, on the six classes they share; empty where these are not all "
        "there. Chapter 06b has every kind."
    )
    empty = "No corpus of this run has new speakers to choose a recipe by."
    return Caption("front_protocols", words, empty=empty, page_length=20)


def baselines(table: pd.DataFrame) -> Caption:
    """The figure of the student projects, of ``tables.baselines``."""
    title = baseline_plots.overview_title(table, speaker_disjoint=speaker_disjoint()) if len(table) else ""
    seeds = f"{baseline_plots.seeds_note(table)} " if len(table) else ""
    return Caption(
        "front_baselines",
        f"{seeds}The bar is the published accuracy; where that was measured on other clips, chapter 08 puts another in "
        "its place. The title compares UAR with UAR, on lists whose test speakers are in training; drawn is the "
        "accuracy on the list. Chapter 08 has every rebuilt model, paired differences, and what their tests share with "
        "training.",
        alt=title,
        empty="They are not in this run: chapter 08 was not run, or the recordings of RAVDESS are not here.",
    )


def tess(run: RunTables) -> str:
    """TESS actress by actress: random, left out, and at equal training size."""
    table = run.ladder_speakers[run.ladder_speakers["corpus"] == "tess"].dropna()
    chosen = tables.headline(run).set_index("corpus")
    if table.empty or "tess" not in chosen.index:
        return "This run holds no test of TESS on the other actress."
    best = chosen.loc["tess"]
    each = [
        f"{row['speaker'].partition('/')[2]} falls from {share(row['random'])} to {share(row['speaker_independent'])}"
        for _, row in table.iterrows()
    ]
    return (
        f"On a random split the chosen system ({best['system']}) scores {share(best['random split'])}; trained on one "
        f"actress and tested on the other, {share(best['new speakers'])}. In another system, that of the figure of "
        f"splitting rules, at equal training size (n = {int(table['n_train'].iloc[0]):,}) {listed(each)}. Two speakers "
        "say nothing about speakers in general; here the random split measured how well the model knew these two "
        "voices."
    )


def corpora() -> Caption:
    """The corpora of the run."""
    return Caption("front_corpora", "Corpora of this run.")
