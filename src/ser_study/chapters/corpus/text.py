"""What the pages of a corpus say about its clips, speakers, listeners and files; every number is counted.

A function named like a figure or a table is its caption; ``*_title`` is the title of a figure.
"""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.corpus.tables import emotions_of, others_sharing, spoken
from ser_study.chapters.corpus.tables import speakers as speakers_of
from ser_study.corpora.info import CorpusInfo
from ser_study.experiments import benchmark
from ser_study.study import Study
from ser_study.wording import Caption, listed, minus, percent, sentence, share, word

FEW = 4  # speakers; with fewer no interval speaks for other people
LANGUAGES = {"en": "English", "de": "German"}
SEXES = {"female": ("woman", "women"), "male": ("man", "men")}


def introduction(info: CorpusInfo, clips: pd.DataFrame) -> str:
    """What the corpus is and how much of it is here, as Markdown."""
    sung = int((clips["channel"] == "song").sum())
    counted = [many(len(clips), "clip") + (f" ({sung:,} of them sung)" if sung else ""), *_inventory(clips)]
    languages = listed(LANGUAGES.get(code, code) for code in clips["language"].dropna().unique())
    sound = f"{_length(clips['duration'].sum())} of sound" + (f" in {languages}" if languages else "")
    expected = sum(info.expected.values())
    lacking = f" Upstream has {expected:,} clips; {many(expected - len(clips), 'clip')} are not here."
    return (
        f"**{info.title}.** {info.description}\n\nIn this copy: {listed(counted)}, {sound}.{_files(clips)}"
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
    return many(round(seconds / 60), "minute") if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _inventory(clips: pd.DataFrame) -> list[str]:
    """Emotions, speakers and sentences in words; what is not known is left out."""
    counted = [many(clips["emotion"].nunique(), "emotion")]
    people = speakers_of(clips)
    if len(people):
        sexes = _sexes(people)
        counted.append(many(len(people), "speaker") + (f" ({', '.join(sexes)})" if sexes else ""))
    if clips["statement"].notna().any():
        counted.append(many(clips["statement"].nunique(), "sentence"))
    return counted


def _sexes(people: pd.DataFrame) -> list[str]:
    counted = {sex: int((people["gender"] == sex).sum()) for sex in SEXES}
    return [many(n, *SEXES[sex]) for sex, n in counted.items() if n]


def counts(clips: pd.DataFrame) -> Caption:
    """Caption of the figure; for those who cannot see it, the counts of every emotion, gender and intensity."""
    counted = [f"{len(clips):,} clips: {_counted(_sizes(clips))}"]
    for column in ("gender", "intensity"):
        known = clips[column].dropna().value_counts()
        unknown = {"unknown": len(clips) - known.sum()} if known.sum() < len(clips) else {}
        counted.append(f"{column} {_counted(pd.Series({**known, **unknown}))}")
    return Caption(
        exhibit(clips, "counts"),
        "Clips by emotion, gender and, where it is known, intensity (fainter is weaker, hatched is unknown).",
        alt="; ".join(counted) + ".",
    )


def counts_title(clips: pd.DataFrame) -> str:
    """How evenly the clips are spread over the emotions."""
    sizes = _sizes(clips)
    if len(sizes) < 2:
        return f"All {many(len(clips), 'clip')} that have a label are {listed(sizes.index)}"
    if sizes.min() == sizes.max():
        return f"Balanced: each of {len(sizes)} emotions has {many(int(sizes.max()), 'clip')}"
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


def speakers(clips: pd.DataFrame) -> Caption:
    """Caption of the figure, or that nobody is named."""
    title = speakers_title(clips)
    alt = f"Heat map of the number of clips, emotions by speakers. {title}."
    return Caption(exhibit(clips, "speakers"), "Number of clips of each speaker in each emotion.", alt, f"{title}.")


def speakers_title(clips: pd.DataFrame) -> str:
    """How many clips there are of each speaker, and whether every speaker acts every emotion."""
    named = clips[clips["speaker"].notna()]
    if named.empty:
        return f"No speaker is named in any of the {many(len(clips), 'clip')}"
    sizes = named["speaker"].value_counts()
    if len(sizes) == 1:
        return f"All {many(len(named), 'clip')} are by one speaker"
    n_pairs = len(sizes) * named["emotion"].nunique()
    empty = n_pairs - len(named.dropna(subset="emotion").groupby(["speaker", "emotion"]))
    lacking = f"{empty} of {n_pairs} speaker–emotion pairs {'is' if empty == 1 else 'are'} empty"
    span = f"{sizes.max():,}" if sizes.min() == sizes.max() else f"{sizes.min():,} to {sizes.max():,}"
    return f"{len(sizes)} speakers, {span} clips each; {lacking if empty else 'every speaker acts every emotion'}"


def demographics(clips: pd.DataFrame) -> Caption:
    """Caption of the figure, or that nothing is known of the speakers."""
    title = demographics_title(clips)
    alt = f"Dot plot of the speakers' ages by gender. {title}."
    return Caption(exhibit(clips, "people"), "Each dot is one speaker.", alt, f"{title}.")


def demographics_title(clips: pd.DataFrame) -> str:
    """Sexes and ages of the speakers, as far as they are known."""
    people = speakers_of(clips)
    if people.empty:
        return "Nothing is known of the speakers"
    unknown = int(people["gender"].isna().sum())
    sexes = _sexes(people) + ([many(unknown, "speaker") + " of unknown sex"] if unknown else [])
    ages = people["age"].dropna()
    if ages.empty:
        return f"{sentence(listed(sexes))}; no age is known"
    lacking = f" (ages of {len(people) - len(ages)} are unknown)" if len(ages) < len(people) else ""
    span = (
        f"{ages.min():.0f} to {ages.max():.0f}" if ages.nunique() > 2 else listed(f"{a:.0f}" for a in sorted(set(ages)))
    )
    return f"{sentence(listed(sexes))}, {span} years old{lacking}"


def durations(clips: pd.DataFrame, prosody: pd.DataFrame) -> Caption:
    """Caption of the figure; its finding says how much silence trimming takes from the ends.

    Parameters
    ----------
    prosody : ``tables.prosody`` of the clips that are analysed
    """
    removed = 1 - prosody["trimmed"].sum() / prosody["duration"].sum()
    both = _is_sung_in_part(prosody)
    middle = medians(spoken(prosody), "trimmed")
    finding = (
        f"Trimming the silent ends removes {percent(removed) if removed >= 0.01 else 'less than 1 %'} of the sound: "
        f"the median clip lasts {prosody['duration'].median():.2f} s as recorded and "
        f"{prosody['trimmed'].median():.2f} s trimmed."
    )
    if len(middle) > 1:
        left = "What is left of the spoken clips" if both else "What is left"
        trimmed = f"{left} is shortest in {{}} ({{}} s) and longest in {{}} ({{}} s)."
        finding += " " + extremes(middle, trimmed, f"{left} is equally long in every emotion ({{}} s).", 2)
    together = ", speech and song together; the sentences on emotions speak of speech" if both else ""
    return Caption(
        exhibit(clips, "durations"),
        f"Duration as recorded{together}. Box: middle half; whiskers: 5 to 95 %; dots: clips outside.",
        alt=f"Box plots of the duration of the clips by emotion. {durations_title(clips)}.",
        finding=finding,
    )


def durations_title(clips: pd.DataFrame) -> str:
    """Which emotion has the shortest and which the longest clips, by the median; of speech where there is song too."""
    middle = medians(spoken(clips), "duration")
    if len(middle) < 2:
        return f"The median clip lasts {clips['duration'].median():.1f} s"
    kind = "spoken " if _is_sung_in_part(clips) else ""
    return sentence(extremes(middle, f"{kind}{{}} clips are shortest (median {{}} s), {{}} clips longest ({{}} s)",
                             f"{kind}clips of all emotions last equally long (median {{}} s)", 1))  # fmt: skip


def _is_sung_in_part(table: pd.DataFrame) -> bool:
    """Whether clips are spoken and sung: then the medians of emotions that are only spoken are not those of others."""
    return len(spoken(table)) < len(table)


def agreement(info: CorpusInfo, clips: pd.DataFrame) -> Caption:
    """Caption of the figure; what is known of listeners stands below it, or in its place."""
    known = info.human or "No listener's judgements of these clips are known."
    return Caption(
        exhibit(clips, "listeners"),
        "Share of its listeners who chose an emotion, clip by clip. Box: middle half; whiskers: 5 to 95 %.",
        alt=f"Box plots of listeners' answers by emotion. {agreement_title(clips)}.",
        empty=known,
        finding=known,
        lead=True,
    )


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
    text = f"Listeners {verb} {{}} worst ({{}} %) and {{}} best ({{}} %); overall {overall:.0f} %"
    return extremes(means, text, f"Listeners {verb} every emotion equally well ({{}} %)", 0)


def audit(table: pd.DataFrame, clips: pd.DataFrame) -> Caption:
    """How many kinds of issue the audit lists, and how many findings are not known of this corpus."""
    unexpected = table[~table["known"].astype(bool)]
    text = f"{many(len(table), 'kind')} of issue in {many(len(clips), 'clip')}"
    text += (
        ", all known of this corpus."
        if unexpected.empty
        else f"; {many(int(unexpected['count'].sum()), 'finding')} unexpected ({listed(unexpected['issue'])})."
    )
    return Caption(exhibit(clips, "audit"), text, empty=f"All {many(len(clips), 'file')} passed every check.")


def dropped(table: pd.DataFrame, clips: pd.DataFrame) -> Caption:
    """How many clips are left out, and why."""
    text = f"Left out: {len(table):,} of {many(len(clips), 'clip')} ({_counted(table['reason'].value_counts())})."
    return Caption(exhibit(clips, "dropped"), text, empty=f"None of the {many(len(clips), 'clip')} is left out.")


def summary(study: Study, clips: pd.DataFrame, analysed: pd.DataFrame) -> str:
    """What remains to be studied, what chance is, and what a random split would share; as Markdown."""
    if analysed.empty:
        return f"None of the {many(len(clips), 'clip')} can be studied."
    n = analysed["emotion"].nunique()
    guess = f"Guessing among {n} emotions scores a UAR of {share(1 / max(n, 1))}."
    guess = guess if n > 1 else "With fewer than two emotions there is nothing to classify."
    lines = [f"{len(analysed):,} of {many(len(clips), 'clip')} are analysed. {guess}"]
    units = {"speaker": "speaker", "statement": "sentence"}
    shared = [f"its {name} with {others_sharing(analysed, unit):,.0f} other clips" for unit, name in units.items()
              if analysed[unit].notna().any()]  # fmt: skip
    if shared:
        lines.append(f"On average a clip shares {listed(shared)}; a random split puts these on both sides.")
    n_speakers = analysed["speaker"].nunique()
    if not n_speakers:
        lines.append("No speaker is named, so scores on new voices cannot be measured.")
    elif n_speakers < FEW:
        lines.append(f"With {many(n_speakers, 'speaker')}, scores hold for these voices only, not for new ones.")
    allowed = [word(name) for name in benchmark.protocols_of(analysed, study.config)]
    lines.append(f"Protocols it allows: {listed(allowed) or 'none'}.")
    return "\n".join(f"- {line}" for line in lines)


def exhibit(table: pd.DataFrame, kind: str) -> str:
    """Name of the file of a figure or table: ``tess_counts``."""
    return f"{table['corpus'].iloc[0]}_{kind}" if len(table) else kind


def medians(table: pd.DataFrame, column: str) -> pd.Series:
    """Median of a column by emotion, sorted; emotions without a value are left out."""
    return table.groupby("emotion")[column].median().dropna().sort_values()


def extremes(values: pd.Series, text: str, equal: str, decimals: int) -> str:
    """``text`` with the names and values of the smallest and the largest, or ``equal`` with what all have in common."""
    low, high = (minus(value, decimals) for value in (values.iloc[0], values.iloc[-1]))
    return equal.format(high) if low == high else text.format(values.index[0], low, values.index[-1], high)


def many(n: int, one: str, several: str = "") -> str:
    """A number and what it counts: ``2 clips``."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def _sizes(clips: pd.DataFrame) -> pd.Series:
    return clips["emotion"].value_counts().reindex(emotions_of(clips))


def _counted(values: pd.Series) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in values.items())


def _has(group: pd.Series, words: str = "") -> str:
    return "have" if len(group) > 1 or words.startswith("the other") else "has"
