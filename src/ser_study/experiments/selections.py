"""Selections: the analysed clips of each part of the study, and their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ser_study import config as settings
from ser_study import corpora, schema, splits
from ser_study.config import Config
from ser_study.store import Store
from ser_study.wording import listed

NAMED_SHARE = 0.5  # of the clips with a speaker, from which on those without one are left out
MOST_LISTED = 10  # speakers in a message
BASELINE = "baseline-"  # prefix of the selections that hold the clips of a student project


@dataclass(frozen=True, eq=False)
class Selection:
    """Analysed clips of one selection: duplicates, conflicts and silent clips are out.

    Two of the same name and clips are equal, whoever loaded them, so that what follows from them is computed once.
    """

    name: str  # as in the experiments
    clips: pd.DataFrame
    dropped: pd.DataFrame

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        return hash((self.name, self.digest))

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the clips and everything folds are made from; every job of the selection asks for it."""
        columns = ["clip_id", "sha256", "emotion", "speaker", "statement", "take", "gender", "session"]
        parts = (self.clips[columns].iloc[start : start + 4096] for start in range(0, len(self.clips), 4096))
        return settings.fingerprint_of_parts(
            part.astype(object).where(part.notna(), "").to_numpy().tolist() for part in parts
        )

    @property
    def n_speakers(self) -> int:
        """Speakers with a name."""
        return int(self.clips["speaker"].nunique())


def load_selections(config: Config, store: Store) -> dict[str, Selection]:
    """Every selection of the study, in a fixed order; what may not be studied is dropped across all its corpora.

    Raises
    ------
    ValueError
        A corpus of the settings is not there.
    """
    names = corpora.chosen(config.corpora, store.raw)
    clips = pd.concat([corpora.load(name, config=config, store=store) for name in names], ignore_index=True)
    clips = clips.join(corpora.drop_reasons(clips))
    selections = {}
    for selection in (part for name in names for part in corpora.selections_of(name)):
        part = corpora.select(clips, selection)
        if len(part):
            selections[selection] = _analysed(selection, _unnamed_dropped(part))
    return selections


def _unnamed_dropped(part: pd.DataFrame) -> pd.DataFrame:
    """Where most clips name a speaker, those that name none are dropped: any of them may be of a test speaker."""
    unnamed = part["speaker"].isna() & part["reason"].isna()
    if part["speaker"].nunique() < 2 or part["speaker"].notna().mean() < NAMED_SHARE:
        return part
    part.loc[unnamed, ["reason", "detail"]] = ["no speaker", "others name theirs, and it may be any of those"]
    return part


def _analysed(name: str, part: pd.DataFrame) -> Selection:
    stays = part["reason"].isna()
    dropped = part.loc[~stays, ["clip_id", "corpus", "reason", "detail"]].reset_index(drop=True)
    return Selection(name, schema.check_clips(part[stays].reset_index(drop=True)), dropped)


def usable(selections: Mapping[str, Selection], config: Config) -> tuple[dict[str, Selection], dict[str, str]]:
    """The selections that a classifier can learn from, and why each of the others is left out.

    Raises
    ------
    ValueError
        None is left; the message says who says what.
    """
    reasons = {name: reason for name, part in selections.items() if (reason := _too_poor(part, config))}
    if selections and len(reasons) == len(selections):
        raise ValueError(
            f"There is nothing to tell apart. {' '.join(reasons.values())} Label clips of a second emotion (see "
            "data/README.md), or put another corpus beside them: ser-study download ravdess."
        )
    return {name: part for name, part in selections.items() if name not in reasons}, reasons


def _too_poor(part: Selection, config: Config) -> str:
    """Why nothing can be learned from a selection; empty where something can."""
    if part.clips.empty:
        why = listed(f"{n} {reason}" for reason, n in part.dropped["reason"].value_counts().items())
        return f"No clip of {part.name} may be studied ({why}); ser-study validate names them."
    if part.clips["emotion"].nunique() > 1:
        why = splits.why_not(part.clips, "random", config)
        return why and f"{part.name} holds too few clips to split: {why}"
    counts = part.clips.groupby(part.clips["speaker"].fillna("no speaker"))["emotion"].value_counts()
    who = [f"{speaker}: {n} {emotion}" for (speaker, emotion), n in counts.items()]
    more = f" and {len(who) - MOST_LISTED} more speakers" if len(who) > MOST_LISTED else ""
    return f"{part.name} holds one emotion ({'; '.join(who[:MOST_LISTED])}{more})."


def load_baseline_selection(name: str, config: Config, store: Store) -> Selection | None:
    """Clips of a student project before duplicates are dropped; None where its RAVDESS recordings are not here, or the
    published list is not whole.

    Parameters
    ----------
    name : a key of ``splits.RECIPES``
    """
    part = _baseline_clips(name, config, store)
    return None if part is None or _incomplete(name, part, store) else part


def incomplete_list(name: str, config: Config, store: Store) -> str:
    """Why the published list of a project whose recordings are here cannot be used; empty where it can."""
    part = _baseline_clips(name, config, store)
    return "" if part is None else _incomplete(name, part, store)


def _incomplete(name: str, part: Selection, store: Store) -> str:
    folder = store.project / "data" / "folds"
    return splits.incomplete(part.clips, splits.RECIPES[name].published, folder=folder)


def _baseline_clips(name: str, config: Config, store: Store) -> Selection | None:
    published = splits.LISTS[splits.RECIPES[name].published]
    wanted, there = set(config.corpora or published.corpora), corpora.present(store.raw)
    here = [corpus for corpus in published.corpora if corpus in there and corpus in wanted]
    if "ravdess" not in here:
        return None
    clips = pd.concat([corpora.load(corpus, config=config, store=store) for corpus in here], ignore_index=True)
    clips = clips[clips["sha256"].notna()]
    if published.speech_only:
        clips = clips[(clips["corpus"] != "ravdess") | (clips["channel"] == "speech")]
    elif not (clips["channel"] == "song").any():
        return None  # the list holds songs too; without them it would be another, smaller test
    clips = clips[~clips["emotion"].isin(published.drops)].reset_index(drop=True)
    return Selection(f"{BASELINE}{name}", clips, clips.iloc[:0]) if clips["channel"].notna().any() else None


def with_audio(selections: Mapping[str, Selection], store: Store) -> dict[str, Selection]:
    """The selections whose audio is here, or was in a published run; a pack holds no sound to prepare or change."""
    if store.published:
        packed = corpora.published.packed(store.published)
        return {name: part for name, part in selections.items() if corpora.corpus_of(name) not in packed}
    return {name: part for name, part in selections.items() if corpora.pack_of(corpora.corpus_of(name), store) is None}


def all_clips(selections: Mapping[str, Selection]) -> pd.DataFrame:
    """Clips of all selections, each once: selections of one corpus may share clips."""
    clips = pd.concat([part.clips for part in selections.values()], ignore_index=True)
    return clips.drop_duplicates("clip_id", ignore_index=True)


def sample(part: Selection, n_clips: int, config: Config) -> Selection:
    """At most ``n_clips`` clips of a selection, the same for everybody who asks: one of every emotion of every speaker,
    then another, as far as they go."""
    if len(part.clips) <= n_clips:
        return part
    clips = part.clips.sort_values("clip_id", kind="stable")
    clips = clips.iloc[settings.rng(config, f"sample/{part.name}").permutation(len(clips))]
    turn = clips.groupby(["emotion", clips["speaker"].fillna("")]).cumcount()
    chosen = clips.loc[turn.sort_values(kind="stable").index[:n_clips], "clip_id"]
    kept = part.clips["clip_id"].isin(chosen)
    return dataclasses.replace(part, clips=part.clips[kept].reset_index(drop=True))


def joined(target: Selection, sources: list[Selection]) -> Selection:
    """Clips of several selections as one, for training on other clips than the target's own."""
    clips = pd.concat([part.clips for part in (target, *sources)], ignore_index=True).drop_duplicates("clip_id")
    return dataclasses.replace(target, clips=clips.reset_index(drop=True))


def classes_of(part: Selection, scheme: str) -> pd.Series:
    """Class of each clip that the scheme keeps, indexed by ``clip_id``."""
    truth = schema.labels(part.clips, scheme)
    truth.index = part.clips["clip_id"]
    return truth.dropna()


def chance_levels(selections: Mapping[str, Selection]) -> dict[str, float]:
    """UAR of guessing: one over the number of classes, for each selection."""
    return {name: 1 / part.clips["emotion"].nunique() for name, part in selections.items()}
