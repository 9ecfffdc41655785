"""What experiments are made of: the analysed clips of a selection, their classes and their folds."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import corpora, schema, splits
from ser_study.config import Config
from ser_study.experiments.declare import Experiment
from ser_study.store import Store

SEED = "seed-"  # before the name of a rebuilt system in the name of its selection
N_VARIANTS = 2  # augmented copies of a clip in the leaking rung
PARTS = {  # corpora studied in parts
    "ravdess": ("ravdess-speech", "ravdess-song"),
    "iemocap": ("iemocap", "iemocap-improvised"),
}


@dataclass(frozen=True)
class Material:
    """Analysed clips of one selection: duplicates, conflicts and silent clips are out."""

    selection: str
    clips: pd.DataFrame
    dropped: pd.DataFrame

    @property
    def digest(self) -> str:
        """Fingerprint of the clips and everything folds are made from."""
        columns = ["clip_id", "sha256", "emotion", "speaker", "statement", "take", "gender", "session"]
        return settings.fingerprint(
            self.clips[columns].astype(object).where(self.clips[columns].notna(), "").to_numpy().tolist()
        )

    @property
    def n_speakers(self) -> int:
        """Speakers with a name."""
        return int(self.clips["speaker"].nunique())


def gather(config: Config, store: Store) -> dict[str, Material]:
    """Material of every selection of the study, in a fixed order.

    Raises
    ------
    ValueError
        A corpus was asked for that is not there, or no corpus tells of two speakers.
    """
    found = corpora.found(store.raw)
    wanted = list(config.study.corpora) or found or ["synthetic"]
    missing = [name for name in wanted if name not in found and name != "synthetic"]
    if missing:
        raise ValueError(
            f"No audio of {', '.join(missing)} in the data folder (found: {', '.join(found) or 'nothing'}); "
            f"get it with: ser-study download {' '.join(missing)}, or choose others with --corpora."
        )
    gathered = {}
    for name in wanted:
        clips = corpora.load(name, config=config, store=store)
        for selection in PARTS.get(name, (name,)):
            part, dropped = corpora.analysed(corpora.select(clips, selection))
            if len(part):
                gathered[selection] = Material(selection, part.reset_index(drop=True), dropped)
    if gathered and all(part.n_speakers < 2 for part in gathered.values()):
        raise ValueError(
            f"Nothing in {', '.join(gathered)} tells of two speakers, and the study asks how a model does on speakers "
            "it has not heard. Fill in the column 'speaker' (see data/README.md), or put another corpus beside it: "
            "ser-study download ravdess."
        )
    return gathered


def gather_seed(name: str, config: Config, store: Store) -> Material | None:
    """Clips of a student system before duplicates are dropped; None where its RAVDESS recordings are not (all) here.

    Parameters
    ----------
    name : a key of ``splits.RECIPES``
    """
    published = splits.LISTS[splits.RECIPES[name].published]
    wanted = set(config.study.corpora or published.corpora)
    here = [corpus for corpus in published.corpora if corpus in corpora.found(store.raw) and corpus in wanted]
    if "ravdess" not in here:
        return None
    clips = pd.concat([corpora.load(corpus, config=config, store=store) for corpus in here], ignore_index=True)
    clips = clips[clips["sha256"].notna()]
    if published.speech_only:
        clips = clips[(clips["corpus"] != "ravdess") | (clips["channel"] == "speech")]
    elif not (clips["channel"] == "song").any():
        return None  # the list holds songs too; without them it would be another, smaller test
    kept = clips[~clips["emotion"].isin(published.drops)].reset_index(drop=True)
    return Material(f"{SEED}{name}", kept, kept.iloc[:0]) if kept["channel"].notna().any() else None


def with_audio(gathered: Mapping[str, Material], store: Store) -> dict[str, Material]:
    """The selections whose audio is here; a pack holds no sound to be prepared or changed."""
    return {name: part for name, part in gathered.items() if corpora.pack_of(corpora.corpus_of(name), store) is None}


def all_clips(gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Clips of all selections, each once: selections of one corpus may share clips."""
    clips = pd.concat([part.clips for part in gathered.values()], ignore_index=True)
    return clips.drop_duplicates("clip_id", ignore_index=True)


def together(target: Material, sources: list[Material]) -> Material:
    """Clips of several selections as one material, for training on other clips than the target's own."""
    clips = pd.concat([part.clips for part in (target, *sources)], ignore_index=True).drop_duplicates("clip_id")
    return dataclasses.replace(target, clips=clips.reset_index(drop=True))


def classes_of(material: Material, scheme: str) -> pd.Series:
    """Class of each clip that the scheme keeps, indexed by ``clip_id``."""
    truth = schema.labels(material.clips, scheme)
    truth.index = material.clips["clip_id"]
    return truth.dropna()


def shuffled(truth: pd.Series, clips: pd.DataFrame, how: str, random: np.random.Generator) -> pd.Series:
    """Labels permuted by clip within each speaker, or over all clips."""
    speaker = clips.set_index("clip_id")["speaker"].loc[truth.index]
    groups = speaker.fillna("") if how == "within_speaker" else pd.Series("", index=truth.index)
    permuted = truth.copy()
    for _, members in groups.groupby(groups.to_numpy()):
        permuted.loc[members.index] = random.permutation(truth.loc[members.index].to_numpy())
    return permuted


def folds_of(
    experiment: Experiment, material: Material, truth: pd.Series, config: Config, store: Store, draw: int
) -> pd.DataFrame:
    """Folds of one draw of an experiment: the protocol's, then what the experiment changes in them."""
    clips = material.clips[material.clips["clip_id"].isin(truth.index)]
    random = settings.rng(config, f"{experiment.name}/{draw}")
    if experiment.leak == "augment_before_split":
        plain = dataclasses.replace(experiment, leak="")
        n_folds = protocol_folds(plain, material.selection, clips, truth, config, store)["fold"].nunique()
        folds = _augmented_before_split(truth, n_folds, random)
    else:
        folds = protocol_folds(experiment, material.selection, clips, truth, config, store, draw)
    if experiment.fixed:  # nothing is chosen, so the valid rows are trained on as well
        folds = folds.assign(role=folds["role"].replace("valid", "train"))
    if experiment.train_speakers:
        folds = _fewer_speakers(folds, clips, experiment.train_speakers, random)
    if experiment.size:
        folds = _cut(folds, truth, experiment.size, random)
    return _with_variants(folds, experiment.variants)


def _with_variants(folds: pd.DataFrame, variants: tuple[int, ...]) -> pd.DataFrame:
    """Augmented copies join the training rows; what is tested or chosen by stays as recorded."""
    train = folds[folds["role"] == "train"]
    return pd.concat([folds, *(train.assign(variant=number) for number in variants)], ignore_index=True)


def _cut(folds: pd.DataFrame, truth: pd.Series, n_clips: int, random: np.random.Generator) -> pd.DataFrame:
    """Training sets of ``n_clips`` distinct clips; the augmented copies of a clip stay or go with it."""
    clean = folds.drop_duplicates(["repeat", "fold", "clip_id", "role"])
    kept = splits.subsample(clean.reset_index(drop=True), truth, n_clips, rng=random)
    return folds.merge(kept[["repeat", "fold", "clip_id", "role"]], on=["repeat", "fold", "clip_id", "role"])


def protocol_folds(
    experiment: Experiment, selection: str, clips, truth, config: Config, store: Store, draw: int = 0
) -> pd.DataFrame:
    """Folds of a protocol: the committed ones where they fit, else made anew (and said so)."""
    classes = truth.loc[clips["clip_id"]].set_axis(clips.index)
    if experiment.protocol in splits.SEED_KINDS:
        name, folder = selection.removeprefix(SEED), store.project / "data" / "folds"
        return splits.rebuilt(experiment.protocol, name, clips, classes, config=config, folder=folder, draw=draw)
    if experiment.sources and experiment.protocol == "speaker_independent":
        return _heard_in_sources(experiment, clips, classes, config)
    if experiment.sources:
        return splits.make(clips, "cross_corpus", classes=classes, config=config, target=clips["corpus"].iloc[0])
    as_committed = not experiment.shuffle and experiment.scheme == "native"
    folds, why_not = splits.load_or_make(
        clips,
        selection=selection if as_committed else "",
        protocol=experiment.protocol,
        classes=classes,
        config=config,
        folder=store.project / "data" / "folds",
    )
    if why_not:
        warnings.warn(why_not, stacklevel=2)
    return folds


def _heard_in_sources(experiment: Experiment, clips: pd.DataFrame, classes: pd.Series, config: Config) -> pd.DataFrame:
    """Folds of the selection by speakers; each trains on the sources' clips of the same training speakers."""
    own = clips["clip_id"].isin(corpora.select(clips, experiment.selection)["clip_id"])
    folds = splits.make(clips[own], experiment.protocol, classes=classes[own], config=config)
    heard = pd.concat([corpora.select(clips, name)[["clip_id", "speaker"]] for name in experiment.sources])
    is_train = folds["role"] == "train"
    speaker = folds["clip_id"].map(clips.set_index("clip_id")["speaker"])
    voices = folds[is_train].assign(speaker=speaker[is_train])[["protocol", "repeat", "fold", "speaker"]]
    train = voices.drop_duplicates().merge(heard, on="speaker").assign(variant=0, role="train")
    if train.empty:
        raise ValueError(
            f"{experiment.name} has nothing to learn from: no training speaker of {experiment.selection} is heard in "
            f"{' or '.join(experiment.sources)}. Name sources with the same speakers."
        )
    mixed = pd.concat([folds[~is_train], train[folds.columns]], ignore_index=True)
    splits.assert_disjoint(mixed, clips, experiment.protocol)
    return mixed


def _augmented_before_split(truth: pd.Series, n_folds: int, random: np.random.Generator) -> pd.DataFrame:
    """What students do: augment everything, then split the rows at random. Scored on the clean rows only."""
    variants = np.arange(1 + N_VARIANTS)
    rows = pd.DataFrame(
        {"clip_id": np.repeat(truth.index.to_numpy(), len(variants)), "variant": np.tile(variants, len(truth))}
    )
    place = random.permutation(len(rows)) % n_folds
    folds = []
    for fold in range(n_folds):
        role = np.where(place != fold, "train", np.where(rows["variant"] == 0, "test", ""))
        folds.append(rows.assign(fold=fold, role=role)[role != ""])
    return pd.concat(folds, ignore_index=True).assign(protocol="random", repeat=0)


def _fewer_speakers(folds: pd.DataFrame, clips: pd.DataFrame, number: int, random: np.random.Generator) -> pd.DataFrame:
    speaker = folds["clip_id"].map(clips.set_index("clip_id")["speaker"])
    kept = []
    for _, rows in folds.groupby(["repeat", "fold"], sort=True):
        inside = rows["role"] == "train"
        names = np.sort(speaker[rows.index][inside].unique())
        chosen = random.choice(names, size=min(number, len(names)), replace=False)
        kept.append(rows[~inside | speaker[rows.index].isin(chosen)])
    return pd.concat(kept, ignore_index=True)
