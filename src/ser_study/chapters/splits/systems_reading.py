"""Several systems on the ladder, read aloud: what each sentence counts, and the sentence, all computed from tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.chapters.splits.systems import SPEAKER_STEP, encoder
from ser_study.wording import listed, minus, p_text, sentence, share, signed, span, voices, word

RANDOM, SPEAKERS = SPEAKER_STEP
BUILT_IN = "synthetic"  # corpus of a voice that nobody recorded
OF_PEOPLE = "on recorded corpora of more than three speakers"
TIE = 1e-9  # UAR; differences as small come from the order of a sum


def system(feature: str, model: str) -> str:
    """A system as readers say it: ``CAM++, LDA``."""
    return f"{word(feature)}, {word(model)}"


def wide(scores: pd.DataFrame, size: str = "equal") -> pd.DataFrame:
    """UAR at one training size, (corpus, feature, model) × protocol, with all protocols that sentences speak of."""
    chosen = scores[scores["size"] == size]
    index = ["corpus", "feature", "model"]
    table = chosen.pivot(index=index, columns="protocol", values="value")
    table = table.reindex(chosen.set_index(index).index.unique())
    return table.reindex(columns=table.columns.union([*SPEAKER_STEP, "sentence_independent", "speaker_and_sentence"]))


def points(values: pd.Series) -> str:
    """From the least to the greatest, in points: ``3 to 25 points``."""
    return f"{span(100 * values)} points"


def falls_of(scores: pd.DataFrame) -> pd.Series:
    """What new speakers cost every system at equal training size; empty where no corpus allows both protocols."""
    table = wide(scores)
    return (table[RANDOM] - table[SPEAKERS]).dropna()


def of_people(falls: pd.Series, scores: pd.DataFrame) -> pd.Series:
    """The falls on recorded corpora of more than three speakers, which alone speak of other people; may be empty."""
    few = scores.loc[[bool(voices(kind)) for kind in scores["interval"]], "corpus"]
    return falls[~falls.index.get_level_values("corpus").isin({BUILT_IN, *few})]


def _is(pair: tuple[str, str], index: pd.MultiIndex) -> np.ndarray:
    """Which rows of (corpus, feature, model) are of one system."""
    return (index.get_level_values("feature") == pair[0]) & (index.get_level_values("model") == pair[1])


def encoder_falls(falls: pd.Series, scores: pd.DataFrame) -> tuple[pd.Series, pd.Series, str]:
    """What new speakers cost the encoder, what they cost it more than each other system of the corpus, and where that
    is: on recorded corpora of more than three speakers, or on all where there are none of these (then no words)."""
    chosen, where = of_people(falls, scores), OF_PEOPLE
    if chosen.empty:
        chosen, where = falls, ""
    pair = encoder(chosen.reset_index())
    is_own = _is(pair, chosen.index) if pair else np.zeros(len(chosen), dtype=bool)
    own, rest = chosen[is_own], chosen[~is_own]
    beside = own.droplevel(["feature", "model"]).reindex(rest.index.get_level_values("corpus"))
    return own, pd.Series(beside.to_numpy() - rest.to_numpy(), rest.index, dtype=float).dropna(), where


def reading(scores: pd.DataFrame, costs: pd.DataFrame, leads: pd.DataFrame) -> str:
    """The ladder in five sentences; empty where no corpus allows a random split and new speakers."""
    falls = falls_of(scores)
    if falls.empty:
        return ""
    pair = encoder(falls.reset_index())
    sentences = [
        _flattery(scores, falls),
        _best(scores, pair),
        _encoder(falls, scores, leads),
        _sentences_and_both(scores),
        _tests(costs),
    ]
    return "\n".join(f"{number}. {words}" for number, words in enumerate(sentences, start=1))


def _flattery(scores: pd.DataFrame, falls: pd.Series) -> str:
    random = wide(scores).loc[falls.index, RANDOM]
    return (
        f"On a random split the systems score {share(random.min())} to {share(random.max())}; on new speakers, with as "
        f"many training clips, {int((falls > 0).sum())} of {len(falls)} scores are lower, and "
        f"{minus(100 * falls.median(), 0)} points are lost in the median ({points(falls)})."
    )


def _best(scores: pd.DataFrame, pair: tuple[str, str] | None) -> str:
    """Which system is best on new speakers, and by how much the encoder is."""
    honest = wide(scores)[SPEAKERS].dropna()
    best = honest.groupby("corpus", sort=False).idxmax()
    if pair is None:
        parts = [f"{system(*key[1:])} on {word(key[0])} ({share(honest[key])})" for key in best]
        return f"No pretrained encoder ran here; best on new speakers are {listed(parts)}."
    own = honest[_is(pair, honest.index)].droplevel(["feature", "model"])
    rest = honest[~_is(pair, honest.index)].groupby("corpus", sort=False).max().reindex(own.index).dropna()
    if rest.empty:
        return f"{sentence(system(*pair))} has no other system beside it."
    ahead = own[rest.index] - rest
    built_in = f", the {word(BUILT_IN)} among them" if ahead.get(BUILT_IN, 0) > 0 and len(ahead) > 1 else ""
    return (
        f"On new speakers {system(*pair)} is best on {int((ahead > 0).sum())} of {len(ahead)} corpora{built_in}: "
        f"against the best other system it is ahead by {minus(100 * ahead.median(), 0)} points in the median "
        f"({points(ahead)})."
    )


def _encoder(falls: pd.Series, scores: pd.DataFrame, leads: pd.DataFrame) -> str:
    """Whether the encoder's own score falls less than that of the others."""
    own, extra, where = encoder_falls(falls, scores)
    leads = leads[leads["corpus"].isin(extra.index.get_level_values("corpus"))]
    if leads.empty:
        least, most = falls.idxmin(), falls.idxmax()
        return (
            f"The step to new speakers costs least with {system(*least[1:])} on {word(least[0])} "
            f"({minus(100 * falls[least], 0)} points) and most with {system(*most[1:])} on {word(most[0])} "
            f"({minus(100 * falls[most], 0)})."
        )
    sure = leads["p_holm"] < 0.05
    less, more = (leads["difference"] * sign > TIE for sign in (1, -1))
    verdict = "does not escape the leak" if (own > 0).any() else "does not fall"
    changed = signed(100 * leads["difference"].median(), 0)
    return (
        f"The encoder {verdict}: {where + ' ' if where else ''}the same step costs it {points(own)}, less than the "
        f"other system in {less.sum()} of {len(leads)} comparisons (significantly, after Holm's correction, in "
        f"{(less & sure).sum()}) and more in {more.sum()} (in {(more & sure).sum()}); from the random split to new "
        f"speakers its lead over the others changes by {changed} points in the median."
    )


def _sentences_and_both(scores: pd.DataFrame) -> str:
    """New sentences against new speakers, and both."""
    table = wide(scores)
    losses = {
        "new sentences": table[RANDOM] - table["sentence_independent"],
        "new speakers": table[RANDOM] - table[SPEAKERS],
        "both at once": table[RANDOM] - table["speaker_and_sentence"],
    }
    known = {name: 100 * lost.dropna() for name, lost in losses.items() if lost.notna().any()}
    parts = [
        f"{minus(lost.median(), 0)}{'' if place else ' points'} on {name} ({span(lost)})"
        for place, (name, lost) in enumerate(known.items())
    ]
    return f"Against the random split, the median loss over systems and corpora is {listed(parts)}."


def _tests(costs: pd.DataFrame) -> str:
    """How many of the systems' steps to new speakers are significant, and where none can be."""
    step = costs[(costs["step_from"] == RANDOM) & (costs["step_to"] == SPEAKERS)]
    tested, few = step[step["note"] == ""], step[step["note"] != ""]
    names = listed(map(word, few["corpus"].unique()))
    untested = f"; with so few speakers, steps on {names} cannot reach .05 in a family this large" if names else ""
    if tested.empty:
        return f"No step to new speakers can be tested here{untested or ', for no system stands beside the first'}."
    n = int((tested["p_holm"] < 0.05).sum())
    worst = p_text(tested["p_holm"].max())
    return (
        f"Of {len(tested)} tested steps from a random split to new speakers {n} are significant (sign-flip over "
        f"speakers, Holm over all steps of a corpus; largest p {worst}){untested}."
    )
