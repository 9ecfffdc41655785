"""How readers say names and numbers: one place for figures, tables and sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VARIED = ("short", "dropout0", "dropout2", "dropout75", "l1", "l2", "batch64")  # ends of a network's changed settings
NAMES = {
    "ravdess": "RAVDESS",
    "ravdess-speech": "RAVDESS speech",
    "ravdess-song": "RAVDESS song",
    "tess": "TESS",
    "savee": "SAVEE",
    "crema_d": "CREMA-D",
    "emodb": "EMO-DB",
    "iemocap": "IEMOCAP",
    "jl": "JL corpus",
    "synthetic": "synthetic corpus",
    "own": "own recordings",
    "dummy": "majority class",
    "hand_crafted": "hand-crafted features",
    "feature_vote": "vote over hand-crafted features",
    "scratch_network": "network from scratch",
    "encoder_head": "encoder, linear head",
    "joint_corpora": "encoder, other corpora in training",
    "encoder_vote": "vote over encoders and corpora",
    "best_system": "best of all",
    "one_listener": "one listener",
    "any_clips": "clips at random",
    "one_emotion": "clips of one emotion",
    "neutral_clips": "neutral clips",
    "logistic": "logistic regression",
    "linear_svm": "linear SVM",
    "forest": "random forest",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "ridge": "ridge classifier",
    "lda": "LDA",
    "pca_lda": "LDA after PCA",
    "bagged_lda": "bagged LDA",
    "qda": "QDA",
    "naive_bayes": "naive Bayes",
    "knn": "nearest neighbours",
    "rbf_svm": "RBF SVM",
    "mlp": "MLP",
    "tree": "decision tree",
    "gender_first": "gender first, then emotion",
    "adaboost": "AdaBoost",
    "hist_boosting": "histogram boosting",
    "lightgbm_000": "LightGBM (E000)",
    "logistic_000": "logistic regression (E000)",
    "logistic_001": "logistic regression (E001)",
    "mlp_001": "MLP (E001)",
    "forest_001": "random forest (E001)",
    "forest_gini_001": "random forest, Gini (E001)",
    "vote_001": "vote (E001)",
    "tree_002": "decision tree (E002)",
    "forest_002": "random forest (E002)",
    "lightgbm_002": "LightGBM (E002)",
    "xgboost_002": "XGBoost (E002)",
    "mlp_002": "MLP (E002)",
    "knn_002": "nearest neighbours (E002)",
    "logistic_002": "logistic regression (E002)",
    "v1_002": "vote V1 (E002)",
    "v2_002": "vote V2 (E002)",
    "v3_002": "vote V3 (E002)",
    "v4_002": "vote V4 (E002)",
    "lda_004": "LDA (E004)",
    "bagged_lda_004": "bagged LDA (E004)",
    "conv1d_001": "Conv1D (E001)",
    **dict.fromkeys(("conv8_002", *(f"conv8_002_{one}" for one in VARIED)), "8-layer CNN (E002)"),
    "rnn_002": "simple RNN (E002)",
    "vgg16_head_002": "VGG16, frozen (E002)",
    "vote_3_2": "vote 3 : 2 (E002)",
    "bigru_003": "BiGRU (E003)",
    "cnn_bilstm_004": "CNN-BiLSTM (E004)",
    "cnn": "CNN",
    "cnn_bilstm": "CNN-BiLSTM over time",
    "cnn_bilstm_chunks": "CNN-BiLSTM over chunks",
    "cnn_lstm_000": "CNN-LSTM",
    "bigru": "BiGRU, faster rate",
    "attention_pool": "attention pooling",
    "rnn_stack": "stacked RNN",
    "gru_stack": "stacked GRU",
    "lstm_stack": "stacked LSTM",
    "mlp_head": "dense head",
    "E000": "E000, voice emotion classifier",
    "E001": "E001, Capstone",
    "E002a": "E002a, Audio to Emotion",
    "E002b": "E002b, Audio to Emotion, deep half",
    "E003": "E003, Emotion Classifier Project",
    "E004": "E004, emotion_rec",
    "tess-as-E000": "TESS as E000 labels it",
    **{f"baseline-00{n}": f"list of E00{n}" for n in (0, 1, 4)},
    "baseline-002a": "list of E002",
    "baseline-002b": "split of E002, deep half",
    "baseline-003": "actors of E003",
    "statistics51": "51 statistics",
    "means180": "180 means",
    "means186": "180 means and tonnetz",
    "means184": "184 means",
    "log_mel87": "log-mel map of 1 s",
    "log_mel": "log-mel image",
    "campplus": "CAM++",
    "campplus_frames": "CAM++ over time",
    "moonshine": "Moonshine",
    "smart_turn": "smart-turn",
    "vgg16": "VGG16",
    "vgg16_maps": "VGG16 maps",
    "baseline_list": "published list",
    "baseline_fresh": "fresh splits",
    "baseline_inner": "inside the training part",
    "summary": "summaries",
    "egemaps": "eGeMAPS",
    "compare": "ComParE",
    "uar": "UAR",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "brier": "Brier score",
    "ece": "ECE",
    "ece_if_calibrated": "ECE if calibrated",
    "n_folds": "folds",
    "n_candidates": "settings tried",
    "accuracy_sd": "sd over folds",
    "rms strip": "RMS strip",
    "weighted_f1": "weighted F1",
    "kappa": "κ",
    "mcc": "MCC",
    "cka": "CKA",
    "campplus_finetuned": "CAM++, fine-tuned",
    "random_augmented": "random, augmented first",
    "random_duplicated": "random, clips twice",
    "campplus_filterbank": "filterbank",
    **dict.fromkeys(("campplus_random", "campplus_random_weights"), "CAM++, random weights"),
    "moonshine_random_weights": "Moonshine, random weights",
    **{f"campplus_random{n}": f"CAM++, random weights, draw {n + 1}" for n in (1, 2)},
    **{f"moonshine_random{n}": f"Moonshine, random weights, draw {n + 1}" for n in range(3)},
    "published": "published weights",
    "random": "random split",
    "take_disjoint": "takes kept together",
    **dict.fromkeys(("sentence_independent", "baseline_sentences"), "new sentences"),
    **dict.fromkeys(("speaker_independent", "baseline_speakers"), "new speakers"),
    "speaker_and_sentence": "new speakers and sentences",
    "anova": "F test of each feature",
    "lda_first_class": "LDA, first class only (E004)",
    "leave_one_speaker_out": "one speaker left out",
    "within_speaker": "within each speaker",
    "augment_before_split": "copies made before the split",
    "scale_on_all": "scaler fitted on test clips too",
    "select_on_test": "hyperparameters chosen on test",
    "uar_intended": "UAR, intended labels",
    "uar_plurality": "UAR, listeners' plurality",
    "cross_entropy": "cross-entropy with the votes",
    "wrong_rate": "wrong sampling rate",
    **dict.fromkeys(("cross_corpus", "baseline_corpora"), "another corpus"),
    "random_weights": "random weights",
}

HEADINGS = {  # columns that every table means alike; what else a column of one table means, its caption says
    "published": "published",
    "n": "clips",
    "n_speakers": "speakers",
    "n_train": "training rows",
    "n_seeds": "training seeds",
    "n_votes": "votes",
    "low": "from",
    "high": "to",
    "difference": "change",
    "p_holm": "p (Holm)",
    "sd": "sd over training seeds",
    "f1": "F1",
    "fit_s": "fit, s",
    "search_s": "search, s",
    "predict_ms": "predict, ms per clip",
    "seconds_per_epoch": "s per epoch",
}

SIDE_BY_SIDE = re.compile(r"\w+(\+\w+)+")  # registry names such as campplus+moonshine; not a title such as CAM++


@dataclass(frozen=True)
class Caption:
    """What a page says about a figure or a table; ``report.exhibits`` shows it."""

    name: str  # of the files and of the anchor
    text: str  # what it shows, in one or two sentences
    alt: str = ""  # of a figure: what a reader who cannot see it needs to know
    empty: str = ""  # Markdown in its place where there is nothing to show
    finding: str = ""  # Markdown after it: what it tells, with computed numbers
    labels: Mapping[str, str] = field(default_factory=dict)  # column → heading, where ``heading`` does not say it
    decimals: Mapping[str, int] = field(default_factory=dict)  # column → decimals; else by the size of the numbers
    page_length: int = 15  # rows on one page of the table
    only_csv: tuple[str, ...] = ()  # columns that the CSV has and the table, to be narrower, has not
    interval_of: Mapping[str, str] = field(default_factory=dict)  # score → how its limits' names begin, if otherwise
    lead: bool = False  # of a figure: whether its title is a line of the summary on top of the page


def word(name: str) -> str:
    """A registry name as a reader says it: ``linear_svm`` → ``linear SVM``."""
    if SIDE_BY_SIDE.fullmatch(str(name)):
        return " + ".join(word(part) for part in str(name).split("+"))
    return NAMES.get(str(name), str(name).replace("_", " "))


def heading(column: str) -> str:
    """A column's name as the heading of a table says it: ``n_speakers`` → ``speakers``."""
    return HEADINGS.get(column) or word(column)


def settings(text: str) -> str:
    """Hyperparameters kept as JSON, in one line: ``{"depth": 4, "penalty": null}`` → ``depth = 4, penalty = none``."""
    return ", ".join(f"{name} = {_setting(value)}" for name, value in json.loads(text).items())


def _setting(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def listed(items: Iterable[str]) -> str:
    """``["a", "b", "c"]`` → ``"a, b and c"``."""
    items = [str(item) for item in items]
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def share(value: float, decimals: int = 3) -> str:
    """A score without its leading zero, as papers print it: 0.5713 → ``.571``; a dash where there is none."""
    return minus(value, decimals).replace("0.", ".", 1) if abs(value) < 1 else minus(value, decimals)


def percent(value: float, decimals: int = 0) -> str:
    """A share in per cent: 0.384 → ``38 %``."""
    return f"{minus(100 * value, decimals)} %"


def voices(kind: str) -> str:
    """The words that an interval over clips needs: it says nothing of other people."""
    return " (these voices only)" if kind.startswith("clips") else ""


def minus(value: float, decimals: int = 1) -> str:
    """A number with a true minus: ``−9.7``, and zero without a sign; a dash where there is none."""
    return f"{rounded(value, decimals) + 0.0:.{decimals}f}".replace("-", "−") if value == value else "–"


def rounded(value: float, decimals: int) -> float:
    """A number rounded so that sums in another order, which differ in their last bits, give the same."""
    return round(round(float(value), 9), decimals)


def span(values: Iterable[float]) -> str:
    """From the least to the greatest, in whole numbers: ``3 to 60``, or ``3`` where these are alike."""
    values = list(values)
    low, high = minus(min(values), 0), minus(max(values), 0)
    return low if low == high else f"{low} to {high}"


def signed(value: float, decimals: int = 1) -> str:
    """A change with its sign: ``+9.7``, ``−0.4``, ``0.0``."""
    return f"{'+' if rounded(value, decimals) > 0 else ''}{minus(value, decimals)}"


def duration(seconds: float) -> str:
    """A time for people: ``48 s``, ``3 min 05 s``, ``1 h 40 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def p_text(p: float) -> str:
    """A p value as papers print it: ``= .047`` or ``< .001``."""
    return "< .001" if p < 0.001 else f"= {share(p)}"


def interval(value: float, low: float, high: float) -> str:
    """A score with its interval: ``.571 [.523, .620]``."""
    return f"{share(value)} [{share(low)}, {share(high)}]" if low == low else share(value)


def sentence(text: str) -> str:
    """Text with its first letter upper-case."""
    return text[:1].upper() + text[1:]


def number(value: float, decimals: int) -> str:
    """A number for people: thousands apart, a true minus, and never a zero that is none.

    >>> number(13229, 0), number(0.71249, 3), number(-0.5, 2), number(0.00002, 3)
    ('13,229', '0.712', '−0.50', '<0.001')
    """
    smallest = 10.0**-decimals
    if 0 < abs(value) < smallest / 2:
        return f"<{smallest:.{decimals}f}" if value > 0 else f">−{smallest:.{decimals}f}"
    return f"{value + 0.0:,.{decimals}f}".replace("-", "−")
