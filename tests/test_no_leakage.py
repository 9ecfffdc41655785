"""Nothing crosses from training to test that a protocol says it separates.

Three lines of evidence: the units themselves (made-up corpora, committed files), planted violations that
the check must name, and planted markers that a classifier can only use where a protocol leaves them open.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser_study import schema, splits
from ser_study.chapters.controls import markers
from ser_study.config import Config
from ser_study.splits import units

FOLDS = Path(__file__).resolve().parents[1] / "data" / "folds"
COMMITTED = sorted((path.parent.name, path.stem) for path in FOLDS.glob("*/*.csv"))
CONFIG = Config()
EMOTIONS = ("angry", "happy", "neutral", "sad")
MADE = [name for name, protocol in splits.PROTOCOLS.items() if protocol.make is not None]

# What test shares with training, by protocol: written out here, so that a changed declaration is noticed.
BLOCKED = {  # duplicate, take, sentence, speaker, corpus
    "random": "duplicate",
    "take_disjoint": "duplicate take",
    "sentence_independent": "duplicate take sentence",
    "speaker_independent": "duplicate take speaker",
    "speaker_and_sentence": "duplicate take sentence speaker",
    "leave_one_speaker_out": "duplicate take speaker",
    "cross_corpus": "duplicate take sentence speaker corpus",
    "fixed": "duplicate",
}
MARKERS = ("duplicate", "take", "sentence", "speaker")


def corpus(
    name: str, *, n_speakers: int, n_sentences: int, rng: np.random.Generator, n_copies: int = 0
) -> pd.DataFrame:
    """A made-up corpus: each speaker says most sentences in each emotion one to three times; some clips are copies."""
    rows = []
    for speaker in range(n_speakers):
        for sentence in range(n_sentences):
            for emotion in EMOTIONS:
                for again in range(rng.choice([0, 1, 2, 3], p=[0.1, 0.3, 0.4, 0.2]) if speaker + sentence else 1):
                    stem = f"{speaker:02d}-{sentence:02d}-{emotion}-{again}"
                    row = {
                        "clip_id": f"{name}/{stem}",
                        "emotion": emotion,
                        "speaker": f"{name}/{speaker:02d}",
                        "statement": f"{name}/{sentence:02d}",
                        "take": f"{name}/{stem[:-2]}",
                        "gender": "male" if speaker % 2 else "female",
                        "sha256": f"{name}-{stem}",
                    }
                    rows.append(row)
    clips = pd.DataFrame(rows).assign(corpus=name).reindex(columns=list(schema.CLIP_COLUMNS))
    by_take = clips.groupby("take").filter(lambda takes: len(takes) > 1)
    for take in by_take["take"].drop_duplicates().iloc[:n_copies]:
        twins = clips.index[clips["take"] == take][:2]
        clips.loc[twins, "sha256"] = clips.loc[twins[0], "sha256"]
    return schema.check_clips(clips)


def several(rng: np.random.Generator) -> pd.DataFrame:
    """Three made-up corpora of different size in one table."""
    sizes = {"own": (int(rng.integers(4, 9)), 4), "tess": (2, 6), "emodb": (5, int(rng.integers(3, 7)))}
    parts = [corpus(name, n_speakers=n, n_sentences=m, rng=rng, n_copies=3) for name, (n, m) in sizes.items()]
    return pd.concat(parts, ignore_index=True)


def clips_for(protocol: str, seed: int) -> pd.DataFrame:
    """A random corpus of two to fourteen speakers, or several corpora where the protocol needs them."""
    rng = np.random.default_rng(seed)
    if protocol == "cross_corpus":
        return several(rng)
    name = ["own", "tess", "crema_d", "savee", "jl", "synthetic"][seed % 6]
    n_speakers = {"tess": 2, "savee": 4, "jl": 4}.get(name, int(rng.integers(2, 15)))
    return corpus(name, n_speakers=n_speakers, n_sentences=int(rng.integers(2, 12)), rng=rng, n_copies=5)


def shared(folds: pd.DataFrame, clips: pd.DataFrame, unit: str, one: str, other: str) -> bool:
    """Whether the unit has a value in both roles of some fold; counted here without the code under test."""
    column = units.UNITS[unit]
    joined = folds.merge(clips[["clip_id", column]].dropna(), on="clip_id")
    keys = [
        set(map(tuple, joined.loc[joined["role"] == role, ["repeat", "fold", column]].to_numpy()))
        for role in (one, other)
    ]
    return bool(keys[0] & keys[1])


def make(clips: pd.DataFrame, protocol: str, repeat: int = 0) -> pd.DataFrame:
    return splits.make(clips, protocol, classes=clips["emotion"], config=CONFIG, repeat=repeat)


def assert_each_tested_once(folds: pd.DataFrame, clip_ids) -> None:
    tested = folds.loc[folds["role"] == "test", "clip_id"]
    assert tested.is_unique
    assert set(tested) == set(clip_ids)
    assert not folds.duplicated(["repeat", "fold", "clip_id"]).any()


def test_declared_units_are_the_ones_written_here():
    declared = {name: [unit for unit in units.UNITS if unit in one.separates] for name, one in splits.PROTOCOLS.items()}
    assert {name: " ".join(units) for name, units in declared.items()} == BLOCKED


@pytest.mark.parametrize("protocol", MADE)
@pytest.mark.parametrize("seed", range(12))
def test_made_up_corpora_are_disjoint_in_the_declared_units(protocol, seed):
    clips = clips_for(protocol, seed)
    folds = make(clips, protocol, repeat=seed % 3)
    assert_each_tested_once(folds, clips["clip_id"])
    for unit in BLOCKED[protocol].split():
        assert not shared(folds, clips, unit, "train", "test")
        assert not shared(folds, clips, unit, "validation", "test")
    for unit in ("duplicate", "take") if protocol != "random" else ("duplicate",):
        assert not shared(folds, clips, unit, "train", "validation")
    speakers = folds.merge(clips, on="clip_id")
    pool = speakers[speakers["role"] != "test"].groupby(["fold", "corpus"])["speaker"].nunique().groupby("fold").max()
    if "speaker" in BLOCKED[protocol] and pool.min() >= 3:
        assert not shared(folds, clips, "speaker", "train", "validation")
    elif "speaker" in BLOCKED[protocol] and pool.max() < 3:
        assert not shared(folds, clips, "sentence", "train", "validation")
    if protocol in ("sentence_independent", "speaker_and_sentence"):
        assert not shared(folds, clips, "sentence", "train", "validation")


@pytest.mark.parametrize("protocol", MADE)
def test_units_that_are_not_declared_are_indeed_shared(protocol):
    clips = clips_for(protocol, 5)
    folds = make(clips, protocol)
    for unit in units.UNITS:
        assert shared(folds, clips, unit, "train", "test") == (unit not in BLOCKED[protocol].split())


@pytest.mark.parametrize(("selection", "protocol"), COMMITTED)
def test_committed_folds_are_disjoint_by_their_names(selection, protocol):
    folds = splits.read_folds(selection, protocol, folder=FOLDS)
    clips = from_names(selection, sorted(set(folds["clip_id"])))
    splits.assert_disjoint(folds, clips, protocol)
    assert_each_tested_once(folds, clips["clip_id"])
    for unit in BLOCKED[protocol].split():
        assert not shared(folds, clips, unit, "train", "test")
        assert not shared(folds, clips, unit, "validation", "test")
    if selection != "tess" and "speaker" in BLOCKED[protocol]:
        assert not shared(folds, clips, "speaker", "train", "validation")


def from_names(selection: str, clip_ids: list[str]) -> pd.DataFrame:
    """Speaker, sentence and take as the names tell them, by rules of their own."""
    forms = {
        "ravdess": r"(?P<take>03-(?P<channel>..)-..-..-(?P<statement>..))-..-(?P<speaker>..)",
        "tess": r"(?P<take>(?P<speaker>OAF?|YAF)_(?P<statement>[a-z]+)_[a-z]+)",
        "crema_d": r"(?P<take>(?P<speaker>\d{4})_(?P<statement>[A-Z]{3})_.+)",
        "emodb": r"(?P<take>(?P<speaker>\d\d)(?P<statement>[ab]\d\d)[A-Z])[a-z]?",
        "savee": r"(?P<speaker>[A-Z]{2})_[a-z]+\d\d",
    }
    name = selection.partition("-")[0]
    clips = pd.Series(clip_ids).str.removeprefix(f"{name}/").str.extract(f"^{forms[name]}$")
    assert clips["speaker"].notna().all()
    clips["speaker"] = clips["speaker"].replace("OA", "OAF")
    if "take" in clips:
        clips["take"] = clips["speaker"] + "|" + clips["take"]
    for column in ("speaker", "statement"):
        if column in clips:
            clips[column] = f"{name}/" + clips[column]
    return clips.assign(clip_id=clip_ids, corpus=name).reindex(columns=list(schema.CLIP_COLUMNS))


@pytest.mark.parametrize(
    ("protocol", "unit"), [(name, unit) for name in BLOCKED for unit in ("clip", *BLOCKED[name].split())]
)
@pytest.mark.parametrize("pair", [("train", "test"), ("validation", "test")])
def test_a_planted_violation_is_named(protocol, unit, pair):
    clips = several(np.random.default_rng(3))
    if protocol not in ("cross_corpus", "fixed"):
        clips = clips[clips["corpus"] == "own"].reset_index(drop=True)
    folds = make(clips, protocol if protocol != "fixed" else "random")
    splits.assert_disjoint(folds, clips, protocol)
    in_fold = folds = folds[folds["fold"] == 2]
    one, other = (in_fold.loc[in_fold["role"] == role, "clip_id"].iloc[0] for role in pair)
    if unit == "clip":
        planted = in_fold[in_fold["clip_id"] == one].assign(role=pair[1])
        kept = in_fold[in_fold["role"].isin(pair)]  # or a third role might share a corpus with the planted clip
        folds, value = pd.concat([kept, planted]), one
    else:
        column, value = units.UNITS[unit], "own/planted"
        clips.loc[clips["clip_id"].isin([one, other]), column] = value
    with pytest.raises(ValueError, match=f"^Fold 2 of '{protocol}' has {unit} {value} in {pair[0]} and {pair[1]}.$"):
        splits.assert_disjoint(folds, clips, protocol)


@pytest.mark.parametrize("unit", ["duplicate", "take", "speaker"])
def test_a_violation_between_train_and_validation_is_named(unit):
    clips = corpus("own", n_speakers=6, n_sentences=3, rng=np.random.default_rng(0))
    folds = make(clips, "speaker_independent")
    first = folds[folds["fold"] == 1].groupby("role")["clip_id"].first()
    clips.loc[clips["clip_id"].isin([first["train"], first["validation"]]), units.UNITS[unit]] = "own/planted"
    with pytest.raises(ValueError, match=f"has {unit} own/planted in train and validation"):
        splits.assert_disjoint(folds, clips, "speaker_independent")


def test_two_speakers_make_validation_differ_by_sentence():
    clips = corpus("tess", n_speakers=2, n_sentences=10, rng=np.random.default_rng(0))
    folds = make(clips, "speaker_independent")
    row = folds.index[(folds["fold"] == 1) & (folds["role"] == "train")][0]
    folds.loc[row, "role"] = "validation"
    with pytest.raises(
        ValueError, match="Fold 1 of 'speaker_independent' has (take|sentence) tess/.* in train and validation"
    ):
        splits.assert_disjoint(folds, clips, "speaker_independent")


def test_copies_across_speakers_stop_a_speaker_protocol():
    clips = corpus("own", n_speakers=5, n_sentences=3, rng=np.random.default_rng(0))
    ends = clips.index[[0, -1]]
    clips.loc[ends, "sha256"] = "same"
    with pytest.raises(ValueError, match="'leave_one_speaker_out' has duplicate same in train and test"):
        make(clips, "leave_one_speaker_out")
    folds = make(clips, "random")  # here copies are simply kept together
    assert folds[folds["clip_id"].isin(clips["clip_id"][ends])].groupby("fold")["role"].nunique().eq(1).all()


def test_folds_must_fit_the_clips_table():
    clips = corpus("own", n_speakers=4, n_sentences=3, rng=np.random.default_rng(0))
    folds = make(clips, "random")
    with pytest.raises(ValueError, match="name 1 clips that the clips table lacks, first 'own/00-00-angry-0'"):
        splits.assert_disjoint(folds, clips.iloc[1:], "random")
    with pytest.raises(ValueError, match="hold roles \\['dev'\\]; use train, validation, test"):
        splits.assert_disjoint(folds.assign(role="dev"), clips, "random")


# --- planted markers: noise features, and a marker that gives the label away inside a unit -------------


def marker_clips(protocol: str, marker: str) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    sizes = {"own": (8, 6), "emodb": (6, 5)} if protocol == "cross_corpus" else {"own": (8, 6)}
    parts = [
        corpus(name, n_speakers=n, n_sentences=m, rng=rng, n_copies=1000 if marker == "duplicate" else 0)
        for name, (n, m) in sizes.items()
    ]
    clips = pd.concat(parts, ignore_index=True)
    if marker == "duplicate":  # only the copies carry the marker, so only they are scored
        clips = clips[clips["sha256"].duplicated(keep=False)].reset_index(drop=True)
    return clips


def score(folds: pd.DataFrame, clips: pd.DataFrame, marker: str) -> tuple[float, float, float]:
    """UAR from a planted marker, and its range by chance; exact permutation ranks were checked to be uniform."""
    return markers.score(folds, clips, marker, np.random.default_rng(12))[:3]


def test_the_committed_matrix_is_the_one_written_here():
    declared = markers.declared()
    assert list(declared.columns) == list(MARKERS)
    blocked = {
        protocol: {marker for marker in MARKERS if row[marker] == "blocked"} for protocol, row in declared.iterrows()
    }
    assert blocked.pop("random_duplicated") == set()  # no protocol, but the leak: copies on both sides
    assert blocked == {name: set(units.split()) & set(MARKERS) for name, units in BLOCKED.items()}
    assert set(declared.to_numpy().ravel()) == {"blocked", "open"}


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("protocol", MADE)
def test_a_marker_helps_exactly_where_it_is_open(protocol, marker):
    clips = marker_clips(protocol, marker)
    uar, low, high = score(make(clips, protocol), clips, marker)
    if marker in BLOCKED[protocol].split():
        assert low <= uar <= high
    else:
        assert uar > high


@pytest.mark.parametrize(
    ("marker", "is_open"), [("take", True), ("sentence", True), ("speaker", True), ("duplicate", False)]
)
def test_a_fixed_list_is_open_to_all_markers_but_copies(marker, is_open):
    wanted = splits.listed("002", folder=FOLDS)["clip_id"]
    ids = sorted(set(splits.read_folds("ravdess", "random", folder=FOLDS)["clip_id"]) | set(wanted))
    clips = from_names("ravdess", ids)
    clips["emotion"] = clips["clip_id"].str[14:16].map(dict(zip(("01", "03", "04", "05"), EMOTIONS))).fillna("other")
    clips["sha256"] = clips["take"] if marker == "duplicate" else clips["clip_id"]  # every other take as a copy
    folds = splits.fixed(clips, "002", folder=FOLDS)
    uar, low, high = score(folds, clips, marker)
    assert (uar > high) if is_open else (low <= uar <= high)


def test_copies_on_both_sides_would_be_seen():
    clips = marker_clips("random", "duplicate")
    roles = [np.where(np.arange(len(clips)) % 2 == half, "test", "train") for half in (0, 1)]
    folds = pd.concat(
        [pd.DataFrame({"fold": fold, "clip_id": clips["clip_id"], "role": role}) for fold, role in enumerate(roles, 1)],
        ignore_index=True,
    ).assign(protocol="random", repeat=0, variant=0)
    uar, _, high = score(folds, clips, "duplicate")
    assert uar > max(high, 0.9)
    with pytest.raises(ValueError, match="Fold 1 of 'random' has duplicate"):
        splits.assert_disjoint(folds, clips, "random")
