"""The front page: everything on it is read from the tables of the run, nothing is computed anew."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ser_study import corpora as info
from ser_study.experiments import findings, league_tables, ledger
from ser_study.store import Store
from ser_study.words import listed, share, voices, word

NEEDED = {  # table → chapter that writes it
    "scores": "04",
    "headline": "04",
    "listeners": "04",
    "corpora": "02",
    "ladder_speakers": "03",
    "ladder_rungs": "03",
}


@dataclass(frozen=True)
class Page:
    """The tables of a run."""

    scores: pd.DataFrame
    headline: pd.DataFrame
    listeners: pd.DataFrame
    corpora: pd.DataFrame
    ladder_speakers: pd.DataFrame
    ladder_rungs: pd.DataFrame


def read(store: Store) -> Page:
    """The tables that the earlier chapters wrote.

    Raises
    ------
    FileNotFoundError
        A table is missing; the message names the chapter to run.
    """
    told = {}
    for name, chapter in NEEDED.items():
        path = store.run / "tables" / f"{name}.csv"
        if not path.is_file():
            raise FileNotFoundError(
                f"The table {name}.csv of this run is missing; chapter {chapter} writes it: "
                f"python run_all.py --from {chapter}."
            )
        told[name] = pd.read_csv(path)
    return Page(**told)


def league(page: Page) -> pd.DataFrame:
    """Scores of the league: tuned systems on the corpora's own classes."""
    parts = page.scores["experiment"].str.split("/").str.len()
    return page.scores[(parts == 4) & page.scores["leak"].isna()]


def answer(page: Page) -> str:
    """The first paragraph: the honest numbers and by how much a random split flatters."""
    best = headline(page)
    if best.empty:
        return "This run holds no score on new speakers; run chapter 04."
    said = [
        f"**{share(row['new speakers'])}** on {word(row['corpus'])}" + (
            f" (listeners {share(row['listeners'])})" if row["listeners"] == row["listeners"] else "")
        for _, row in best.iterrows()
    ]  # fmt: skip
    flattery = 100 * (best["random split"] - best["new speakers"])
    text = (
        f"With classical features and models, on speakers never heard before, mean recall over the emotions (UAR) is "
        f"{listed(said)}. "
    )
    if len(best) > 1:
        return text + (
            f"The same systems on a random split score {flattery.min():.0f} to {flattery.max():.0f} points more. "
            "That difference comes from knowing the speaker, and the other take where clips were recorded twice."
        )
    return text + (
        f"The same system on a random split scores {flattery.iloc[0]:.0f} points more. "
        "That difference comes from knowing the speaker."
    )


def feature(page: Page) -> str:
    """The feature set of the front figure."""
    return league_tables.common_feature(league(page))


def pairs(page: Page) -> pd.DataFrame:
    """Random and speaker-independent UAR of every corpus and model."""
    return findings.inflation(league(page), feature(page))


def pairs_title(page: Page) -> str:
    """What the front figure shows."""
    return league_tables.inflation_title(pairs(page))


def pairs_caption(page: Page) -> str:
    """How to read the front figure."""
    return league_tables.inflation_caption(pairs(page))


def chance(page: Page) -> dict[str, float]:
    """One over the number of classes."""
    return dict(zip(page.corpora["corpus"], 1 / page.corpora["classes"]))


def human(page: Page) -> dict[str, float]:
    """UAR of one listener, where listeners judged the clips."""
    return findings.listener_lines(page.listeners)


def notes(page: Page) -> dict[str, str]:
    """Speakers and classes of each corpus."""
    table = page.corpora
    return {
        name: f"{n} speakers, {k} emotions" for name, n, k in zip(table["corpus"], table["speakers"], table["classes"])
    }


def headline(page: Page) -> pd.DataFrame:
    """The chosen system of each corpus: new speakers, random split, listeners, chance."""
    keys = ["corpus", "feature", "model"]
    flattering = findings.uar(league(page))
    flattering = flattering[flattering["protocol"] == "random"].set_index(keys)["value"].rename("random split")
    table = page.headline.join(flattering, on=keys)
    table = table.assign(listeners=table["corpus"].map(human(page)), chance=table["corpus"].map(chance(page)))
    bounds = zip(table["low"], table["high"], table["interval"])
    spans = [f"[{share(low)}, {share(high)}]{voices(kind)}" for low, high, kind in bounds]
    systems = [f"{word(feature)}, {word(model)}" for feature, model in zip(table["feature"], table["model"])]
    table = table.assign(system=systems, interval=spans).rename(columns={"value": "new speakers"})
    return table[["corpus", "system", "random split", "new speakers", "interval", "listeners", "chance"]]


def headline_words(page: Page) -> str:
    """How the chosen systems stand beside the listeners."""
    table = headline(page)
    known = table[table["listeners"].notna()]
    said = [
        f"on {word(row['corpus'])} {share(row['new speakers'])} {row['interval']} beside listeners' "
        f"{share(row['listeners'])}"
        for _, row in known.iterrows()
    ]
    if not said:
        return "Nobody judged these clips one by one, so there is no human line."
    text = f"Beside the listeners: {listed(said)}. "
    low = page.headline.set_index("corpus")["low"].reindex(known["corpus"]).to_numpy()
    passed = known[low > known["listeners"].to_numpy()]
    if len(passed):
        text += (
            f"On {listed(word(name) for name in passed['corpus'])} a model trained on the actors' intentions passes "
            "the listeners, who said what they heard: the intention is in the voice, people do not always hear it. "
        )
    if "emodb" in set(known["corpus"]):
        every = info.module("emodb").INFO.human_figures["mean class recall, all 816 recordings"]
        text += (
            "EMO-DB's line is for clips that were kept because these listeners recognised them; on all its recordings "
            f"it is {share(every)}. "
        )
    return text


def rungs(page: Page) -> pd.DataFrame:
    """The ladder, as its figure takes it."""
    return page.ladder_rungs


def rungs_title(page: Page) -> str:
    """What the ladder shows."""
    wide = rungs(page)
    wide = wide[wide["size"] == "equal"].pivot(index="corpus", columns="rung", values="value")
    lost = 100 * (wide["random"] - wide["speaker_independent"])
    if len(lost) == 1:
        return f"New speakers cost {lost.iloc[0]:.0f} points at equal training size"
    return f"At equal training size new speakers cost {lost.min():.0f} to {lost.max():.0f} points"


def tess_words(page: Page) -> str:
    """TESS actress by actress: random, left out, and at equal training size."""
    table = page.ladder_speakers[page.ladder_speakers["corpus"] == "tess"]
    if table.empty:
        return "TESS is not part of this run."
    best = headline(page).set_index("corpus").loc["tess"]
    each = [
        f"{row['speaker'].partition('/')[2]} falls from {share(row['random'])} to {share(row['speaker_independent'])}"
        for _, row in table.iterrows()
    ]
    return (
        f"On a random split the chosen system scores {share(best['random split'])}; trained on one actress and tested "
        f"on the other, {share(best['new speakers'])}. At equal training size (n = {int(table['n_train'].iloc[0]):,}) "
        f"one model with nothing tuned tells it actress by actress: {listed(each)}. Two voices support no statement "
        "about voices in general; they do show that the random split measured acquaintance."
    )


def looks(store: Store) -> pd.DataFrame:
    """How often each corpus was scored: declared experiments, and development looks before the freeze."""
    return ledger.looks(store)


def nested_words(page: Page) -> str:
    """What the choice of the system is worth: the score when it is made anew in each fold."""
    nested = page.headline[page.headline["nested"].notna()]
    said = [f"{word(row['corpus'])} {share(row['nested'])}" for _, row in nested.iterrows()]
    return (
        "Every speaker is a valid speaker in one fold and a test speaker in another, so this choice has seen them all. "
        f"Choosing anew in each fold, by that fold's valid speakers alone, gives {listed(said)}."
        if said
        else "No corpus of this run has valid speakers to choose by."
    )


def corpora(page: Page) -> pd.DataFrame:
    """The corpora of the run."""
    return page.corpora


def seeds(store: Store) -> pd.DataFrame:
    """Rows of the student systems in accuracy, for the figure; empty where chapter 08 is not in this run."""
    paths = [store.run / "tables" / f"{name}.csv" for name in ("seeds", "seed_verdicts")]
    if not all(path.is_file() for path in paths):
        return pd.DataFrame()
    scores, verdicts = map(pd.read_csv, paths)
    table = scores.merge(verdicts[["id", "metric", "verdict"]], on=["id", "metric"])
    return table[table["metric"] == "accuracy"].reset_index(drop=True)
