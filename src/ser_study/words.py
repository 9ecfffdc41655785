"""How readers say the names of our registries: one table for figures, tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable

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
    "dummy": "majority class",
    "logistic": "logistic regression",
    "linear_svm": "linear SVM",
    "forest": "random forest",
    "lightgbm": "LightGBM",
    "seed184": "184 means",
    "summary": "summaries",
    "egemaps": "eGeMAPS",
    "compare": "ComParE",
    "random_augmented": "random, augmented first",
    "random": "random split",
    "take_disjoint": "takes kept together",
    "sentence_independent": "new sentences",
    "speaker_independent": "new speakers",
    "speaker_and_sentence": "new speakers and sentences",
    "leave_one_speaker_out": "one speaker left out",
    "cross_corpus": "another corpus",
}


def word(name: str) -> str:
    """A registry name as a reader says it: ``linear_svm`` → ``linear SVM``."""
    return NAMES.get(str(name), str(name).replace("_", " "))


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
