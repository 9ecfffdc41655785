"""How readers say the names of our registries: one table for figures, tables and sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

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
    "lightgbm_000": "LightGBM (seed 000)",
    "logistic_000": "logistic regression (seed 000)",
    "logistic_001": "logistic regression (seed 001)",
    "mlp_001": "MLP (seed 001)",
    "forest_001": "random forest (seed 001)",
    "forest_gini_001": "random forest, Gini (seed 001)",
    "vote_001": "vote (seed 001)",
    "tree_002": "decision tree (seed 002)",
    "forest_002": "random forest (seed 002)",
    "lightgbm_002": "LightGBM (seed 002)",
    "xgboost_002": "XGBoost (seed 002)",
    "mlp_002": "MLP (seed 002)",
    "knn_002": "nearest neighbours (seed 002)",
    "logistic_002": "logistic regression (seed 002)",
    "v1_002": "vote V1 (seed 002)",
    "v2_002": "vote V2 (seed 002)",
    "v3_002": "vote V3 (seed 002)",
    "v4_002": "vote V4 (seed 002)",
    "lda_004": "LDA (seed 004)",
    "bagged_lda_004": "bagged LDA (seed 004)",
    "conv1d_001": "Conv1D (seed 001)",
    "conv8_002": "8-layer CNN (seed 002)",
    "rnn_002": "simple RNN (seed 002)",
    "vgg16_head_002": "VGG16, frozen (seed 002)",
    "vote_3_2": "vote 3 : 2 (seed 002)",
    "bigru_003": "BiGRU (seed 003)",
    "cnn_bilstm_004_seed": "CNN-BiLSTM (seed 004)",
    "cnn_bilstm": "CNN-BiLSTM over time",
    "cnn_bilstm_chunks": "CNN-BiLSTM over chunks",
    "cnn_lstm_000": "CNN-LSTM",
    "bigru": "BiGRU, faster rate",
    "attention_pool": "attention pooling",
    "rnn_stack": "stacked RNN",
    "gru_stack": "stacked GRU",
    "lstm_stack": "stacked LSTM",
    "mlp_head": "dense head",
    "seed-000": "list of seed 000",
    "seed-001": "list of seed 001",
    "seed-002a": "list of seed 002",
    "seed-002b": "split of seed 002, deep half",
    "seed-003": "actors of seed 003",
    "seed-004": "list of seed 004",
    "seed51": "51 statistics",
    "seed180": "180 means",
    "seed186": "180 means and tonnetz",
    "seed184": "184 means",
    "seed87": "log-mel map of 1 s",
    "log_mel": "log-mel image",
    "campplus": "CAM++",
    "campplus_frames": "CAM++ over time",
    "campplus_random": "CAM++, random weights",
    "moonshine": "Moonshine",
    "vgg16": "VGG16",
    "vgg16_maps": "VGG16 maps",
    "seed_list": "published list",
    "seed_fresh": "fresh splits",
    "seed_inner": "inside the training part",
    "seed_speakers": "new speakers",
    "seed_sentences": "new sentences",
    "seed_corpora": "another corpus",
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
    "campplus_finetuned": "CAM++, fine-tuned",
    "random_augmented": "random, augmented first",
    "random": "random split",
    "take_disjoint": "takes kept together",
    "sentence_independent": "new sentences",
    "speaker_independent": "new speakers",
    "speaker_and_sentence": "new speakers and sentences",
    "anova": "F test of each feature",
    "lda_first_class": "LDA, first class only (seed 004)",
    "leave_one_speaker_out": "one speaker left out",
    "cross_corpus": "another corpus",
}


def word(name: str) -> str:
    """A registry name as a reader says it: ``linear_svm`` → ``linear SVM``."""
    if "+" in str(name):
        return " + ".join(word(part) for part in str(name).split("+"))
    return NAMES.get(str(name), str(name).replace("_", " "))


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


def share(value: float) -> str:
    """A score without its leading zero, as papers print it: 0.5713 → ``.571``."""
    text = f"{value:.3f}"
    return text.removeprefix("0") if value >= 0 else "−" + text.removeprefix("-0")


def voices(kind: str) -> str:
    """The words that an interval over clips needs: it says nothing of other people."""
    return " (these voices only)" if kind.startswith("clips") else ""


def minus(value: float, decimals: int = 1) -> str:
    """A signed number with a true minus: ``−9.7``."""
    return f"{value:.{decimals}f}".replace("-", "−")


def p_text(p: float) -> str:
    """A p value as papers print it: ``= .047`` or ``< .001``."""
    return "< .001" if p < 0.001 else f"= {share(p)}"


def interval(value: float, low: float, high: float) -> str:
    """A score with its interval: ``.571 [.523, .620]``."""
    return f"{share(value)} [{share(low)}, {share(high)}]" if low == low else share(value)


def sentence(text: str) -> str:
    """Text with its first letter upper-case."""
    return text[:1].upper() + text[1:]
