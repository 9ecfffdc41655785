"""Folds: the rule of each corpus, fixed lists, subsampling, committed files."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser_study import schema, splits
from ser_study.config import Config, load
from ser_study.splits import files, makers, units

FOLDS = Path(__file__).resolve().parents[1] / "data" / "folds"
CONFIG = Config()
CREMA_DROPPED = (  # silent, or the same sound under two labels
    *("1076_MTI_SAD_XX", "1006_TIE_HAP_XX", "1006_TIE_NEU_XX", "1013_WSI_DIS_XX"),
    *("1013_WSI_SAD_XX", "1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
)
RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def table(rows: list[dict]) -> pd.DataFrame:
    """Clips table from dicts; takes are filled in where they can be."""
    clips = pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS))
    cell = ["speaker", "emotion", "intensity", "statement", "channel"]
    clips["take"] = clips["take"].fillna(clips[cell].fillna("").astype(str).agg("|".join, axis=1))
    return schema.check_clips(clips)


def ravdess(*, channels=("speech", "song")) -> pd.DataFrame:
    """All 2,452 RAVDESS names."""
    rows = []
    for channel, emotion, level, words, again, actor in product(
        (1, 2), range(1, 9), (1, 2), (1, 2), (1, 2), range(1, 25)
    ):
        if (emotion == 1 and level == 2) or (channel == 2 and (emotion > 6 or actor == 18)):
            continue
        row = {
            "clip_id": f"ravdess/03-{channel:02d}-{emotion:02d}-{level:02d}-{words:02d}-{again:02d}-{actor:02d}",
            "corpus": "ravdess",
            "emotion": RAVDESS_EMOTIONS[emotion - 1],
            "intensity": ("normal", "strong")[level - 1],
            "speaker": f"ravdess/{actor:02d}",
            "statement": f"ravdess/{words:02d}",
            "gender": "male" if actor % 2 else "female",
            "channel": ("speech", "song")[channel - 1],
        }
        rows.append(row)
    clips = table(rows)
    return clips[clips["channel"].isin(channels)].reset_index(drop=True)


def ids_of(selection: str) -> list[str]:
    return sorted(set(splits.read_folds(selection, "random", folder=FOLDS)["clip_id"]))


def tess() -> pd.DataFrame:
    """All 2,800 TESS names."""
    emotions = {"fear": "fearful", "ps": "surprised"}
    rows = []
    for clip_id in ids_of("tess"):
        actress, word, emotion = clip_id.removeprefix("tess/").split("_")
        actress = {"OA": "OAF"}.get(actress, actress)
        names = {"speaker": f"tess/{actress}", "statement": f"tess/{word}", "gender": "female", "channel": "speech"}
        rows.append({"clip_id": clip_id, "corpus": "tess", "emotion": emotions.get(emotion, emotion)} | names)
    return table(rows)


def crema_d() -> pd.DataFrame:
    """All 7,442 CREMA-D names, without the actors' sex."""
    emotions = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
    rows = []
    for clip_id in (*ids_of("crema_d"), *(f"crema_d/{stem}" for stem in CREMA_DROPPED)):
        actor, words, emotion, level = clip_id.removeprefix("crema_d/").split("_")
        names = {
            "speaker": f"crema_d/{actor}",
            "statement": f"crema_d/{words}",
            "intensity": level,
            "channel": "speech",
        }
        rows.append({"clip_id": clip_id, "corpus": "crema_d", "emotion": emotions[emotion]} | names)
    return table(rows)


def made_up(corpus: str, *, speakers: int, sentences: int, emotions=("angry", "happy", "sad"), takes: int = 2):
    """Every speaker says every sentence in every emotion, so many times."""
    rows = []
    for who, words, emotion, again in product(range(speakers), range(sentences), emotions, range(takes)):
        row = {
            "clip_id": f"{corpus}/{who:02d}-{words}-{emotion}-{again}",
            "corpus": corpus,
            "emotion": emotion,
            "speaker": f"{corpus}/{who:02d}",
            "statement": f"{corpus}/{words}",
            "gender": "male" if who % 2 else "female",
            "sha256": f"{corpus}{who}-{words}-{emotion}-{again}",
        }
        rows.append(row)
    return table(rows)


def make(clips: pd.DataFrame, protocol: str, **options) -> pd.DataFrame:
    return splits.make(clips, protocol, classes=schema.labels(clips, "native"), config=CONFIG, **options)


def values(folds: pd.DataFrame, clips: pd.DataFrame, column: str) -> dict[tuple[int, str], set]:
    """(fold, role) → values of a clips column."""
    joined = folds.merge(clips[["clip_id", column]], on="clip_id")
    return {key: set(group[column]) for key, group in joined.groupby(["fold", "role"])}


def test_ravdess_speaker_folds_are_the_published_ones():
    clips = ravdess(channels=("speech",))
    speakers = values(make(clips, "speaker_independent"), clips, "speaker")
    assert speakers[1, "test"] == {"ravdess/01", "ravdess/11", "ravdess/20", "ravdess/21"}
    assert speakers[6, "test"] == {"ravdess/06", "ravdess/13", "ravdess/17", "ravdess/22"}
    for fold in range(1, 7):
        assert speakers[fold, "validation"] == speakers[fold % 6 + 1, "test"]
        assert len(speakers[fold, "train"]) == 16


def test_song_keeps_the_same_actors_together():
    clips = ravdess(channels=("song",))
    speakers = values(make(clips, "speaker_independent"), clips, "speaker")
    assert speakers[5, "test"] == {"ravdess/02", "ravdess/15", "ravdess/16"}


def test_some_ravdess_actors_still_give_folds():
    clips = ravdess(channels=("speech",))
    clips = clips[clips["speaker"].isin(["ravdess/01", "ravdess/11", "ravdess/20", "ravdess/21"])]
    folds = make(clips, "speaker_independent")
    assert folds["fold"].nunique() == 4


def test_ravdess_has_two_sentence_folds_without_validation():
    clips = ravdess()
    for protocol, n_folds in (("sentence_independent", 2), ("speaker_and_sentence", 12)):
        folds = make(clips, protocol)
        assert folds["fold"].nunique() == n_folds
        assert set(folds["role"]) == {"train", "test"}


def test_speech_and_song_share_sentences():
    clips = ravdess()
    folds = make(clips, "sentence_independent").merge(clips, on="clip_id")
    assert folds.groupby(["fold", "role"])["channel"].nunique().eq(2).all()


def test_tess_leaves_an_actress_out_and_validates_on_other_words():
    clips = tess()
    folds = make(clips, "speaker_independent")
    speakers, words = values(folds, clips, "speaker"), values(folds, clips, "statement")
    for fold in (1, 2):
        assert speakers[fold, "train"] == speakers[fold, "validation"] != speakers[fold, "test"]
        assert not words[fold, "train"] & words[fold, "validation"]
        assert (len(words[fold, "train"]), len(words[fold, "validation"])) == (160, 40)
    sizes = folds.groupby(["fold", "role"]).size().unstack()
    assert sizes.to_numpy().tolist() == [[1400, 1120, 280]] * 2


def test_tess_random_has_two_folds_of_the_same_sizes():
    folds = make(tess(), "random")
    assert folds.groupby(["fold", "role"]).size().unstack().to_numpy().tolist() == [[1400, 1120, 280]] * 2


def test_tess_word_folds():
    clips = tess()
    words = values(make(clips, "sentence_independent"), clips, "statement")
    assert [len(words[fold, "test"]) for fold in range(1, 6)] == [40] * 5
    assert words[5, "validation"] == words[1, "test"]


def test_crema_d_graded_sentence_is_a_fold_of_its_own():
    clips = crema_d()
    words = values(make(clips, "sentence_independent"), clips, "statement")
    assert words[6, "test"] == {"crema_d/IEO"}
    assert sorted(len(words[fold, "test"]) for fold in range(1, 7)) == [1, 2, 2, 2, 2, 3]


@pytest.mark.corpus
def test_committed_crema_d_folds_are_balanced_by_sex(corpora_dir):
    side = corpora_dir / "crema_d" / "VideoDemographics.csv"
    if not side.is_file():
        pytest.skip("no CREMA-D below the data folder")
    sex = pd.read_csv(side, dtype=str).set_index("ActorID")["Sex"]
    folds = splits.read_folds("crema_d", "speaker_independent", folder=FOLDS)
    test = folds[folds["role"] == "test"]
    actor = test["clip_id"].str.slice(8, 12)
    women = (sex[actor].to_numpy() == "Female").astype(int)
    actors = pd.DataFrame(
        {"fold": test["fold"].to_numpy(), "actor": actor.to_numpy(), "women": women}
    ).drop_duplicates()
    assert actors.groupby("fold").size().between(18, 19).all()
    assert actors.groupby("fold")["women"].sum().between(8, 9).all()


def test_four_speakers_give_one_test_one_validation_two_train_and_validation_rotates():
    clips = made_up("savee", speakers=4, sentences=3)
    seen = set()
    for repeat in range(3):
        speakers = values(make(clips, "speaker_independent", repeat=repeat), clips, "speaker")
        for fold in range(1, 5):
            assert [len(speakers[fold, role]) for role in schema.ROLES] == [2, 1, 1]
            seen.add((min(speakers[fold, "test"]), min(speakers[fold, "validation"])))
    assert len(seen) == 12  # every ordered pair of speakers


@pytest.mark.parametrize(("n_speakers", "n_validation"), [(3, 0), (4, 1), (10, 1), (12, 2), (24, 4)])
def test_leave_one_out_holds_a_sixth_for_validation(n_speakers, n_validation):
    clips = made_up("emodb", speakers=n_speakers, sentences=4)
    speakers = values(make(clips, "leave_one_speaker_out"), clips, "speaker")
    for fold in range(1, n_speakers + 1):
        assert len(speakers[fold, "test"]) == 1
        validation = speakers[fold, "validation"] - speakers[fold, "train"]
        assert (
            len(validation) == n_validation
        )  # with three speakers validation holds other sentences of the training speakers


def test_iemocap_leaves_a_session_out():
    clips = made_up("iemocap", speakers=10, sentences=3)
    clips["session"] = (clips["speaker"].str[-2:].astype(int) // 2 + 1).astype(str)
    sessions = values(make(clips, "speaker_independent"), clips, "session")
    assert [sessions[fold, "test"] for fold in range(1, 6)] == [{str(fold)} for fold in range(1, 6)]
    with pytest.raises(ValueError, match="IEMOCAP has no sentence folds"):
        make(clips, "sentence_independent")


def test_other_corpora_get_five_folds_with_both_genders():
    clips = made_up("synthetic", speakers=10, sentences=4)
    genders = values(make(clips, "speaker_independent"), clips, "gender")
    assert {fold for fold, _ in genders} == {1, 2, 3, 4, 5}
    assert all(both == {"female", "male"} for both in genders.values())


def test_random_folds_are_stratified_and_drawn_anew():
    clips = made_up("synthetic", speakers=10, sentences=4)
    folds = make(clips, "random")
    test = folds[folds["role"] == "test"].merge(clips, on="clip_id")
    counts = test.groupby(["fold", "emotion"]).size().unstack()
    assert counts.shape == (5, 3)
    assert counts.max().max() - counts.min().min() <= 1
    again = make(clips, "random", repeat=1)
    assert not again.drop(columns="repeat").equals(folds.drop(columns="repeat"))


def test_order_of_rows_does_not_matter_and_the_seed_does():
    clips = made_up("synthetic", speakers=10, sentences=4)
    shuffled = clips.sample(frac=1, random_state=1)
    for protocol in splits.possible(clips, CONFIG):
        pd.testing.assert_frame_equal(make(clips, protocol), make(shuffled, protocol))
    other = splits.make(clips, "random", classes=schema.labels(clips, "native"), config=load(overrides={"seed": 1}))
    assert not other.equals(make(clips, "random"))


def test_speaker_folds_do_not_depend_on_which_classes_are_kept():
    clips = made_up("synthetic", speakers=12, sentences=5, emotions=("angry", "happy", "sad", "calm"))
    fewer = clips[clips["emotion"] != "calm"]
    for protocol in ("speaker_independent", "sentence_independent", "speaker_and_sentence"):
        all_of_them, some = make(clips, protocol), make(fewer, protocol)
        kept = all_of_them[all_of_them["clip_id"].isin(fewer["clip_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, some)


def test_cross_corpus_tests_each_corpus_or_the_target():
    parts = [made_up(name, speakers=n, sentences=5) for name, n in (("emodb", 10), ("tess", 2), ("own", 4))]
    clips = pd.concat(parts, ignore_index=True)
    folds = make(clips, "cross_corpus")
    corpora, speakers = values(folds, clips, "corpus"), values(folds, clips, "speaker")
    assert [corpora[fold, "test"] for fold in (1, 2, 3)] == [{"emodb"}, {"own"}, {"tess"}]
    for fold in (1, 2, 3):
        assert not speakers[fold, "train"] & speakers[fold, "validation"]
    one = pd.concat(parts[:2], ignore_index=True)
    folds = make(one, "cross_corpus", target="emodb")
    assert set(folds["fold"]) == {1}
    words = values(folds, one, "statement")
    assert not words[1, "train"] & words[1, "validation"]
    assert len(words[1, "validation"]) == 1


@pytest.mark.parametrize(
    ("change", "protocol", "message"),
    [
        ({"statement": None}, "sentence_independent", "SAVEE has no sentence unit"),
        ({"speaker": None}, "speaker_independent", "needs the speaker of each clip; 72 of 72"),
        ({"speaker": "savee/DC"}, "speaker_independent", "needs two values of speaker"),
        ({}, "cross_corpus", "needs two values of corpus"),
        ({}, "fixed", r"call fixed\(clips"),
        ({}, "speaker_disjoint", "Unknown protocol 'speaker_disjoint', did you mean"),
    ],
)
def test_what_a_protocol_lacks_is_said(change, protocol, message):
    clips = made_up("savee", speakers=4, sentences=3).assign(**change)
    with pytest.raises(ValueError, match=message):
        make(clips, protocol)


def test_clips_without_a_class_or_with_wrong_classes_are_refused():
    clips = made_up("own", speakers=4, sentences=3)
    with pytest.raises(ValueError, match="24 of 72 clips have no class"):
        splits.make(clips, "random", classes=clips["emotion"].where(clips["emotion"] != "sad"), config=CONFIG)
    with pytest.raises(ValueError, match="3 classes for 72 clips"):
        splits.make(clips, "random", classes=clips["emotion"].iloc[:3], config=CONFIG)
    with pytest.raises(ValueError, match="No clips to split"):
        make(clips.iloc[:0], "random")
    with pytest.raises(ValueError, match="Fold 1 of 'random' has no train clip"):
        make(clips.iloc[:1], "random")


def test_possible_lists_what_make_accepts():
    clips = made_up("savee", speakers=4, sentences=3).assign(statement=None, take=None)
    assert splits.possible(clips, CONFIG) == ["random", "speaker_independent", "leave_one_speaker_out"]
    why_not = splits.impossible(clips, CONFIG)
    assert "sentence list" in why_not["sentence_independent"]
    assert set(why_not) == set(splits.PROTOCOLS) - {"random", "speaker_independent", "leave_one_speaker_out", "fixed"}


def test_protocols_that_would_teach_one_emotion_are_not_possible():
    clips = made_up("own", speakers=3, sentences=2)
    one_each = clips[
        clips["speaker"].map(dict(zip(clips["speaker"].unique(), clips["emotion"].unique()))) == clips["emotion"]
    ]
    why_not = splits.impossible(one_each, CONFIG)
    assert (
        "Each emotion comes from one speaker (angry: own/00, happy: own/01, sad: own/02)"
        in why_not["speaker_independent"]
    )
    assert "random" not in why_not
    lonely = clips[(clips["speaker"] == "own/00") | (clips["emotion"] == "sad")]  # without the first, all are sad
    assert (
        "1 of 3 folds would train on clips of one emotion" in splits.impossible(lonely, CONFIG)["speaker_independent"]
    )


def test_deal_spreads_each_stratum_evenly():
    strata = np.array(["a"] * 13 + ["b"] * 7 + ["c"] * 3)
    part = units.deal(strata, n_parts=5, rng=np.random.default_rng(0))
    for stratum in "abc":
        counts = np.bincount(part[strata == stratum], minlength=5)
        assert np.ptp(counts) <= 1
    assert np.ptp(np.bincount(part)) <= 1


def test_groups_follow_chains_of_shared_values():
    clips = made_up("own", speakers=2, sentences=2, emotions=("sad",), takes=1)
    clips["take"] = ["own/a", "own/a", "own/b", None]
    clips["sha256"] = ["1", "2", "2", None]
    group = units.groups(clips, ("duplicate", "take"))
    assert group[0] == group[1] == group[2] != group[3]


def test_subsample_keeps_shares_and_other_roles():
    clips = made_up("synthetic", speakers=10, sentences=4, takes=3)
    clips = clips[(clips["emotion"] != "sad") | clips["clip_id"].str.endswith("0")]  # a third as many
    folds, classes = make(clips, "speaker_independent"), clips.set_index("clip_id")["emotion"]
    cut = splits.subsample(folds, classes, 63, rng=np.random.default_rng(0))
    train = cut[cut["role"] == "train"]
    counts = train.groupby(["fold", train["clip_id"].map(classes)]).size().unstack()
    assert counts.to_numpy().tolist() == [[27, 27, 9]] * 5
    rest = folds["role"] != "train"
    pd.testing.assert_frame_equal(
        cut[cut["role"] != "train"].reset_index(drop=True), folds[rest].reset_index(drop=True)
    )
    assert set(zip(train["fold"], train["clip_id"])) <= set(zip(folds["fold"], folds["clip_id"]))
    other = splits.subsample(folds, classes, 63, rng=np.random.default_rng(1))
    assert not other.equals(cut)
    same = splits.subsample(folds, classes, 63, rng=np.random.default_rng(0))
    pd.testing.assert_frame_equal(cut, same)


@pytest.mark.parametrize("n", [3, 4, 5, 17, 83, 84])
def test_subsample_is_exact_and_keeps_every_class(n):
    clips = made_up("own", speakers=5, sentences=2, takes=4)
    clips = clips[(clips["emotion"] != "sad") | clips["clip_id"].str.endswith("sad-0")]
    folds, classes = make(clips, "random"), clips.set_index("clip_id")["emotion"]
    n = min(n, int(folds[folds["role"] == "train"].groupby("fold").size().min()))
    cut = splits.subsample(folds, classes, n, rng=np.random.default_rng(0))
    train = cut[cut["role"] == "train"]
    assert train.groupby("fold").size().eq(n).all()
    assert train["clip_id"].map(classes).groupby(train["fold"]).nunique().eq(3).all()


def test_subsample_refuses_what_it_cannot_draw():
    clips = made_up("own", speakers=4, sentences=3)
    folds, classes = make(clips, "random"), clips.set_index("clip_id")["emotion"]
    for n in (2, 1000):
        with pytest.raises(ValueError, match=f"training rows in 3 classes; cannot draw {n}"):
            splits.subsample(folds, classes, n, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def names() -> pd.DataFrame:
    """Every clip of RAVDESS, TESS and CREMA-D by name."""
    return pd.concat([ravdess(), tess(), crema_d()], ignore_index=True)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("000", {"train": 3392, "test": 848}),
        ("001", {"train": 4048 - 1008, "test": 1008}),
        ("002", {"train": 1961, "test": 491}),
        ("003", {"train": 1828, "validation": 312, "test": 312}),
        ("004", {"train": 11_090 - 2435, "test": 2435}),
    ],
)
def test_fixed_lists_give_the_known_counts(names, name, sizes):
    folds = splits.fixed(names, name, folder=FOLDS)
    assert folds["role"].value_counts().to_dict() == sizes
    assert folds["clip_id"].is_unique


def test_lists_count_clips_with_their_copies_and_name_those_here(names):
    table = splits.listed("004", folder=FOLDS)
    here = table[table["clip_id"].isin(names["clip_id"])]
    counts = {"crema_d": 1511, "iemocap": 866, "jl": 262, "ravdess": 509, "tess": 466}
    assert table.groupby("corpus")["times"].sum().to_dict() == counts
    assert here.groupby("corpus").size().to_dict() == {"crema_d": 1511, "ravdess": 458, "tess": 466}
    table = splits.listed("001", folder=FOLDS)
    assert table["times"].sum() == 1132
    assert table["clip_id"].isin(names["clip_id"]).sum() == 1008


def test_fixed_list_uses_savee_names_where_present(names):
    wanted = splits.listed("001", folder=FOLDS)
    savee = wanted.loc[wanted["corpus"] == "savee", "clip_id"]
    assert savee.str.fullmatch(r"savee/(DC|JE|JK|KL)_(sa|su|[adfhn])\d\d").all()
    rows = [{"clip_id": clip_id, "corpus": "savee", "emotion": "sad"} for clip_id in savee]
    clips = pd.concat([names, table(rows)], ignore_index=True)
    folds = splits.fixed(clips, "001", folder=FOLDS)
    assert (folds["role"] == "test").sum() == 1132


def test_fixed_list_keeps_the_listed_clip_and_drops_its_copy(names):
    clips = names.copy()
    test = splits.listed("002", folder=FOLDS)["clip_id"].iloc[0]
    folds = splits.fixed(clips, "002", folder=FOLDS)
    copy = folds.loc[folds["role"] == "train", "clip_id"].iloc[0]
    clips.loc[clips["clip_id"].isin([test, copy]), "sha256"] = "same"
    after = splits.fixed(clips, "002", folder=FOLDS)
    assert set(folds["clip_id"]) - set(after["clip_id"]) == {copy}
    assert (after["role"] == "test").sum() == 491


def test_fixed_list_says_what_is_missing(names):
    with pytest.raises(ValueError, match=r"1 of 491 listed test clips of '002' are missing: ravdess/03-02-04"):
        splits.fixed(names[names["clip_id"] != "ravdess/03-02-04-01-02-01-10"], "002", folder=FOLDS)
    with pytest.raises(ValueError, match="6 are missing|1 are missing"):
        splits.fixed(names[names["speaker"] != "ravdess/11"], "003", folder=FOLDS)
    with pytest.raises(ValueError, match="needs clips of ravdess; none is present"):
        splits.fixed(names[names["corpus"] == "tess"], "002", folder=FOLDS)
    with pytest.raises(ValueError, match="Unknown list '005'.*Known: 000"):
        splits.fixed(names, "005", folder=FOLDS)


def test_committed_folds_are_used_for_exactly_these_clips():
    clips = tess()
    options = {"selection": "tess", "protocol": "random", "config": CONFIG, "folder": FOLDS}
    folds, note = splits.load_or_make(clips, classes=clips["emotion"], **options)
    assert note == ""
    pd.testing.assert_frame_equal(folds, make(clips, "random"))
    fewer = clips.iloc[:-2]
    folds, note = splits.load_or_make(fewer, classes=fewer["emotion"], **options)
    assert "the committed ones hold 2 clips that are not here and lack 0 that are" in note
    assert set(folds["clip_id"]) == set(fewer["clip_id"])
    options["config"] = load(overrides={"seed": 3})
    _, note = splits.load_or_make(clips, classes=clips["emotion"], **options)
    assert "made with seed 3" in note


def test_selection_without_committed_folds_is_made_without_a_note():
    clips = made_up("synthetic", speakers=10, sentences=4)
    folds, note = splits.load_or_make(
        clips,
        selection="synthetic",
        protocol="random",
        classes=clips["emotion"],
        config=CONFIG,
        folder=FOLDS,
    )
    assert note == ""
    pd.testing.assert_frame_equal(folds, make(clips, "random"))


def test_fold_files_round_trip_and_changes_are_noticed(tmp_path):
    clips = made_up("own", speakers=5, sentences=3)
    folds = make(clips, "speaker_and_sentence")
    path = splits.write_folds(folds, selection="own", folder=tmp_path)
    splits.write_sums(tmp_path)
    back = splits.read_folds("own", "speaker_and_sentence", folder=tmp_path)
    pd.testing.assert_frame_equal(back, folds)
    first = path.read_bytes()
    assert splits.write_folds(folds, selection="own", folder=tmp_path).read_bytes() == first
    path.write_bytes(first.replace(b"validation", b"train"))
    with pytest.raises(ValueError, match="own/speaker_and_sentence.csv was changed: SHA-256"):
        splits.read_folds("own", "speaker_and_sentence", folder=tmp_path)
    with pytest.raises(FileNotFoundError, match="No committed folds for 'own' and 'random'"):
        splits.read_folds("own", "random", folder=tmp_path)
    with pytest.raises(ValueError, match="one protocol, repeat 0"):
        splits.write_folds(folds.assign(repeat=1), selection="own", folder=tmp_path)


def test_every_committed_file_has_its_hash():
    named = {line.split(maxsplit=1)[1] for line in (FOLDS / "SHA256SUMS").read_text().splitlines()}
    found = {path.relative_to(FOLDS).as_posix() for path in FOLDS.glob("*/*") if path.suffix in (".csv", ".json")}
    assert named == found


def test_published_ravdess_folds_hold_each_actor_once():
    actors = [actor for fold in makers.RAVDESS_FOLDS for actor in fold]
    assert sorted(actors) == [f"{number:02d}" for number in range(1, 25)]


def test_folds_of_the_same_clips_are_made_once_and_changed_ones_anew(monkeypatch, tmp_path):
    clips = ravdess(channels=("speech",)).iloc[::5].reset_index(drop=True)
    classes, made = clips["emotion"], []
    make = files.make
    monkeypatch.setattr(files, "make", lambda *args, **options: made.append(1) or make(*args, **options))
    options = {"selection": "", "protocol": "random", "config": Config(seed=77), "folder": tmp_path}
    first, _ = files.load_or_make(clips, classes=classes, **options)
    first["role"] = "mine"  # whoever gets a table may change it
    again, _ = files.load_or_make(clips, classes=classes, **options)
    assert len(made) == 1
    assert set(again["role"]) <= {"train", "validation", "test"}
    files.load_or_make(clips, classes=classes.iloc[::-1].set_axis(classes.index), **options)
    files.load_or_make(clips.iloc[1:], classes=classes.iloc[1:], **options)
    files.load_or_make(clips, classes=classes, **options | {"config": Config(seed=78)})
    assert len(made) == 4
