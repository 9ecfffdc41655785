"""Titles and sentences about one corpus; every number in them is counted from its tables."""

from __future__ import annotations

import pandas as pd

from ser_study import splits
from ser_study.corpora.info import CorpusInfo
from ser_study.experiments.corpus_tables import emotions_of, people, shared
from ser_study.words import listed, sentence, share, word

LEVELLED = 3.0  # dB; peaks that differ by less were brought to one level by somebody
FEW = 4  # speakers; with fewer no interval speaks for other people
LANGUAGES = {"en": "English", "de": "German"}
SEXES = {"female": ("woman", "women"), "male": ("man", "men")}


def introduction(info: CorpusInfo, clips: pd.DataFrame) -> str:
    """What the corpus is and how much of it is here, as Markdown."""
    sung = int((clips["channel"] == "song").sum())
    counted = [many(len(clips), "clip") + (f" ({sung:,} of them sung)" if sung else ""), *_inventory(clips)]
    spoken = listed(LANGUAGES.get(code, code) for code in clips["language"].dropna().unique())
    sound = f"{_length(clips['duration'].sum())} of sound" + (f" in {spoken}" if spoken else "")
    expected = sum(info.expected.values())
    lacking = f" Upstream has {expected:,} clips; {many(expected - len(clips), 'clip')} are not here."
    return (
        f"**{info.title}.** {info.description}\n\nFound here: {listed(counted)}, {sound}.{_files(clips)}"
        f"{lacking if len(clips) < expected else ''}\n\n*Licence:* {info.licence}. *Source:* {info.source}. "
        f"*Cite:* {info.citation}"
    )


def _files(clips: pd.DataFrame) -> str:
    """How the files are coded, because a published figure must say what it was computed from."""
    kinds = listed(sorted({path.rpartition(".")[2].lower() for path in clips["path"]}))
    rates = listed(f"{rate / 1000:g}" for rate in sorted(clips["sample_rate"].dropna().unique()))
    coded = " (Ogg Vorbis, a lossy copy)" if kinds == "ogg" else ""
    return f" The files read are {kinds}{coded} at {rates} kHz." if rates else ""


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _inventory(clips: pd.DataFrame) -> list[str]:
    """Emotions, speakers and sentences in words; what is not known is left out."""
    parts = [many(clips["emotion"].nunique(), "emotion")]
    who = people(clips)
    if len(who):
        sexes = [many(int((who["gender"] == sex).sum()), *SEXES[sex]) for sex in SEXES if (who["gender"] == sex).any()]
        parts.append(many(len(who), "speaker") + (f" ({', '.join(sexes)})" if sexes else ""))
    if clips["statement"].notna().any():
        parts.append(many(clips["statement"].nunique(), "sentence"))
    return parts


def counts_title(clips: pd.DataFrame) -> str:
    """How evenly the clips are spread over the emotions."""
    sizes = _sizes(clips)
    if len(sizes) < 2:
        return f"All {many(len(clips), 'clip')} that have a label are {listed(sizes.index)}"
    if sizes.min() == sizes.max():
        return f"Evenly dealt: each of {len(sizes)} emotions has {many(int(sizes.max()), 'clip')}"
    low, high = sizes[sizes == sizes.min()], sizes[sizes == sizes.max()]
    if len(low) + len(high) == len(sizes):
        few, most = (listed(group.index) if len(group) <= len(other) else "the other emotions"
                     for group, other in ((low, high), (high, low)))  # fmt: skip
        return sentence(
            f"{few} {_has(low, few)} {low.iloc[0]:,} clips, {most} {high.iloc[0]:,}{' each' * (len(high) > 1)}"
        )
    return (
        f"{sentence(listed(high.index))} {_has(high)} most clips ({high.iloc[0]:,}{' each' * (len(high) > 1)}), "
        f"{listed(low.index)} fewest ({low.iloc[0]:,}{' each' * (len(low) > 1)})"
    )


def counts_words(clips: pd.DataFrame) -> str:
    """The counts of every emotion, gender and intensity in one sentence, for those who cannot see the figure."""
    parts = [f"{len(clips):,} clips: {_counted(_sizes(clips))}"]
    for column in ("gender", "intensity"):
        known = clips[column].dropna().value_counts()
        unknown = {"unknown": len(clips) - known.sum()} if known.sum() < len(clips) else {}
        parts.append(f"{column} {_counted(pd.Series({**known, **unknown}))}")
    return "; ".join(parts) + "."


def speakers_title(clips: pd.DataFrame) -> str:
    """How many clips each speaker gave, and whether every speaker acts every emotion."""
    named = clips[clips["speaker"].notna()]
    if named.empty:
        return f"No speaker is named in any of the {many(len(clips), 'clip')}"
    sizes = named["speaker"].value_counts()
    pairs = named.dropna(subset="emotion").groupby(["speaker", "emotion"]).size()
    n_pairs = len(sizes) * named["emotion"].nunique()
    empty = n_pairs - len(pairs)
    lacking = f"{empty} of {n_pairs} speaker–emotion pairs {'is' if empty == 1 else 'are'} empty"
    fullness = lacking if empty else "everybody acts every emotion"
    if len(sizes) == 1:
        return f"One speaker gave all {many(len(named), 'clip')}"
    each = (
        f"{sizes.max():,} clips each"
        if sizes.min() == sizes.max()
        else f"{sizes.min():,} to {sizes.max():,} clips each"
    )
    return f"{len(sizes)} speakers gave {each}; {fullness}"


def people_title(clips: pd.DataFrame) -> str:
    """Sexes and ages of the speakers, as far as they are known."""
    who = people(clips)
    if who.empty:
        return "Nothing is known of the speakers"
    sexes = [many(int((who["gender"] == sex).sum()), *SEXES[sex]) for sex in SEXES if (who["gender"] == sex).any()]
    unknown = int(who["gender"].isna().sum())
    sexes += [many(unknown, "speaker") + " of unknown sex"] if unknown else []
    ages = who["age"].dropna()
    if ages.empty:
        return f"{sentence(listed(sexes))}; no age is known"
    lacking = f" (ages of {len(who) - len(ages)} are unknown)" if len(ages) < len(who) else ""
    span = (
        f"{ages.min():.0f} to {ages.max():.0f}" if ages.nunique() > 2 else listed(f"{a:.0f}" for a in sorted(set(ages)))
    )
    return f"{sentence(listed(sexes))}, {span} years old{lacking}"


def durations_title(clips: pd.DataFrame) -> str:
    """Which emotion has the shortest and which the longest clips, by the median."""
    middle = _medians(clips, "duration")
    if len(middle) < 2:
        return f"The median clip lasts {clips['duration'].median():.1f} s"
    return extremes(middle, "{} clips are shortest (median {:.1f} s), {} clips longest ({:.1f} s)",
                     "Clips of all emotions last equally long (median {:.1f} s)", decimals=1)  # fmt: skip


def trimmed_words(table: pd.DataFrame) -> str:
    """How much silence trimming takes from the ends, and which emotion is then the shortest and longest."""
    removed = 100 * (1 - table["trimmed"].sum() / table["duration"].sum())
    percent = f"{removed:.0f}" if removed >= 1 else "less than 1"
    middle = _medians(table, "trimmed")
    text = (
        f"Trimming the silent ends removes {percent} % of the sound: the median clip lasts "
        f"{table['duration'].median():.2f} s as recorded and {table['trimmed'].median():.2f} s trimmed."
    )
    if len(middle) < 2:
        return text
    return text + " " + extremes(middle, "What is left is shortest in {} ({:.2f} s) and longest in {} ({:.2f} s).",
                                  "What is left is equally long in every emotion ({:.2f} s).", decimals=2)  # fmt: skip


def prosody_title(table: pd.DataFrame) -> str:
    """Loudest and quietest emotion, and the emotion of the highest pitch, apart for women and men.

    Where all clips peak at one level, loudness is the editor's and no finding; the title says so instead.
    """
    low, peak, high = table["peak_db"].quantile([0.05, 0.5, 0.95])
    pitch = _highest_pitch(table)
    ending = f"; pitch is highest in {pitch}" if pitch else ""
    if high - low < LEVELLED:
        return f"Nearly every clip peaks at {_number(peak, 0)} dB, so loudness here tells little{ending}"
    loud = _medians(table, "loudness_db")
    if len(loud) < 2:
        return f"{sentence(listed(loud.index))}: median loudness {_number(table['loudness_db'].median(), 0)} dB{ending}"
    text = sentence(extremes(loud, "{} is quietest ({:.0f} dB), {} loudest ({:.0f} dB)",
                            "all emotions are equally loud ({:.0f} dB)", decimals=0))  # fmt: skip
    return text + ending


def _highest_pitch(table: pd.DataFrame) -> str:
    """The emotion of the highest median F0, apart for women and men where there are both; empty where nothing is."""
    groups = {SEXES[sex][1]: table[table["gender"] == sex] for sex in SEXES if (table["gender"] == sex).any()}
    medians = {name: _medians(part, "f0_hz") for name, part in (groups if len(groups) > 1 else {"": table}).items()}
    tops = {name: (pitch.index[-1], pitch.iloc[-1]) for name, pitch in medians.items() if len(pitch) > 1}
    told = [f"{emotion}{' for ' * bool(name)}{name} ({hertz:.0f} Hz)" for name, (emotion, hertz) in tops.items()]
    if len(told) > 1 and len({emotion for emotion, _ in tops.values()}) == 1:
        told[1] = told[1].partition(" for ")[2]  # "fearful for women (304 Hz) and men (200 Hz)"
    return listed(told)


def prosody_caption(table: pd.DataFrame, spoken: pd.DataFrame) -> str:
    """What a dot of the figure is, and how many sung clips are not in it."""
    sung = len(table) - len(spoken)
    text = "One value a clip: median level of its frames, median F0, voiced segments per second, span of F0."
    return text + (f" Without {many(sung, 'sung clip')}, whose pitch is the melody's." if sung else "")


def agreement_title(clips: pd.DataFrame) -> str:
    """Which emotion listeners recognise best and worst, or agree on where no intended emotion is known."""
    column, verb = ("human_recognition", "recognise")
    if not clips[column].notna().any():
        column, verb = ("human_agreement", "agree on")
    means = 100 * clips.dropna(subset=column).groupby("emotion")[column].mean().sort_values()
    overall = 100 * clips[column].mean()
    if means.empty:
        return "No listener judged these clips"
    if len(means) < 2:
        return f"Listeners {verb} {means.index[0]} in {overall:.0f} % of their answers"
    text = f"Listeners {verb} {{}} worst ({{:.0f}} %) and {{}} best ({{:.0f}} %); overall {overall:.0f} %"
    return extremes(means, text, f"Listeners {verb} every emotion equally well ({{:.0f}} %)", decimals=0)


def audit_caption(table: pd.DataFrame, n_clips: int) -> str:
    """How many kinds of issue the audit found, and how many of them nobody knew of."""
    if table.empty:
        return f"Nothing to report: all {many(n_clips, 'file')} passed every check."
    unexpected = table[~table["known"].astype(bool)]
    found = f"{many(len(table), 'kind')} of issue in {many(n_clips, 'clip')}"
    if unexpected.empty:
        return f"{found}, all known of this corpus."
    return f"{found}; {many(int(unexpected['count'].sum()), 'finding')} unexpected ({listed(unexpected['issue'])})."


def dropped_words(clips: pd.DataFrame, dropped: pd.DataFrame) -> str:
    """How many clips are left out, and why."""
    if dropped.empty:
        return f"None of the {many(len(clips), 'clip')} is left out."
    return f"Left out: {len(dropped):,} of {many(len(clips), 'clip')} ({_counted(dropped['reason'].value_counts())})."


def summary(clips: pd.DataFrame, kept: pd.DataFrame) -> str:
    """What remains to be studied, what chance is, and what a random split would share; as Markdown."""
    if kept.empty:
        return f"None of the {many(len(clips), 'clip')} can be studied."
    n = kept["emotion"].nunique()
    guess = f"Guessing among {n} emotions scores a UAR of {share(1 / max(n, 1))}."
    guess = guess if n > 1 else "With fewer than two emotions there is nothing to tell apart."
    lines = [f"{len(kept):,} of {many(len(clips), 'clip')} are analysed. {guess}"]
    both = {"speaker": "speaker", "statement": "sentence"}
    with_whom = [f"its {words} with {shared(kept, unit):,.0f} other clips" for unit, words in both.items()
                 if kept[unit].notna().any()]  # fmt: skip
    if with_whom:
        lines.append(f"On average a clip shares {listed(with_whom)}; a random split deals these to both sides.")
    n_speakers = kept["speaker"].nunique()
    if not n_speakers:
        lines.append("No speaker is named, so nobody can tell how a model would do with new voices.")
    elif n_speakers < FEW:
        lines.append(f"With {many(n_speakers, 'speaker')}, scores tell of these voices only, not of people at large.")
    lines.append(f"Protocols it allows: {listed(word(name) for name in splits.possible(kept))}.")
    return "\n".join(f"- {line}" for line in lines)


def _sizes(clips: pd.DataFrame) -> pd.Series:
    return clips["emotion"].value_counts().reindex(emotions_of(clips))


def _medians(table: pd.DataFrame, column: str) -> pd.Series:
    """Median of a column by emotion, sorted; emotions without a value are left out."""
    return table.groupby("emotion")[column].median().dropna().sort_values()


def extremes(values: pd.Series, text: str, equal: str, *, decimals: int) -> str:
    """Fill in the names and values of the smallest and the largest, or what they all have in common."""
    low, high = values.iloc[0], values.iloc[-1]
    if round(low, decimals) == round(high, decimals):
        return _minus(equal.format(high))
    filled = text.format(values.index[0], low, values.index[-1], high)
    return _minus(sentence(filled) if text.startswith("{} clips") else filled)


def _minus(text: str) -> str:
    return text.replace("(-0 ", "(0 ").replace(" -0 ", " 0 ").replace("(-", "(−").replace(" -", " −")


def _number(value: float, decimals: int) -> str:
    return f"{round(value, decimals) + 0:,.{decimals}f}".replace("-", "−")  # + 0 turns -0.0 into 0.0


def many(n: int, one: str, several: str = "") -> str:
    """A number and what it counts: ``2 clips``."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def _counted(values: pd.Series) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in values.items())


def _has(group: pd.Series, words: str = "") -> str:
    return "have" if len(group) > 1 or words.startswith("the other") else "has"
