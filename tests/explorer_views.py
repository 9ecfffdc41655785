"""Views of the explorer, drawn at random, and the same numbers by the study's own functions."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from visits import visit

from ser_study.evaluation import abstention, intervals, metrics, probabilities
from ser_study.experiments import coding
from ser_study.wording import word

KINDS = {
    "bootstrap": intervals.BOOTSTRAP,
    "jackknife": intervals.JACKKNIFE,
    "clips": intervals.CLIPS,
}
SLOWEST = 200  # ms a view may take
EXACT = {"rel": 0, "abs": 1e-9, "nan_ok": True}


class Mulberry:
    """The random numbers of the page (Mulberry32), with as much of a Generator's face as the evaluation asks for."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def random(self, shape) -> np.ndarray:
        n = int(np.prod(shape))
        step = np.arange(1, n + 1, dtype=np.uint64) * 0x6D2B79F5
        mixed = (step + self.state).astype(np.uint32)
        self.state = (self.state + n * 0x6D2B79F5) % 2**32
        mixed = (mixed ^ (mixed >> 15)) * (mixed | 1)
        mixed = (mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)) ^ mixed
        return ((mixed ^ (mixed >> 14)) / 2**32).reshape(shape)

    def integers(self, high: int, size) -> np.ndarray:
        return np.floor(self.random(size) * high).astype(int)

    def permutation(self, n: int) -> np.ndarray:
        order, drawn = np.arange(n), self.random(max(n - 1, 0))
        for place, value in zip(range(n - 1, 0, -1), drawn):
            other = int(value * (place + 1))
            order[[place, other]] = order[[other, place]]
        return order


def published(run: Path) -> pd.DataFrame:
    """All published predictions; where one is not written, it is the likeliest class."""
    files = sorted(run.glob("predictions*.parquet"))
    whole = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
    likeliest = whole.filter(like="c_").dropna(how="all").idxmin(axis=1).str.removeprefix("c_")
    return whole.assign(prediction=whole["prediction"].astype(object).fillna(likeliest))


@cache
def _tables(run: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clean test rows of all published predictions, and the clips with what they can be chosen by."""
    whole = published(run)
    clips = pd.read_parquet(run / "clips.parquet")
    years = clips["age"].map(lambda age: f"{int(age) // 10 * 10}–{int(age) // 10 * 10 + 9}", na_action="ignore")
    chosen = clips["human_recognition"]
    most = pd.Series(np.where(chosen > 0.5, "most recognise it", "half or fewer recognise it"), clips.index)
    clips = clips.assign(age_group=years, recognised=most.where(chosen.notna()))
    return whole[(whole["role"].astype(str) == "test") & (whole["variant"] == 0)], clips


def level(column: str, value: str) -> str:
    """A value as the page names it."""
    return value.partition("/")[2] if column in ("speaker", "statement") else word(value)


def expected(run: Path, name: str, state: dict, *, resamples: int, draws: int) -> dict:
    """What the study's functions say of a view of one system; only ``n`` where no clip is left."""
    predictions, clips = _tables(run)
    rows = predictions[predictions["experiment"].astype(str) == name].sort_values("clip", kind="stable")
    columns = [column for column in rows if column.startswith("c_") and rows[column].notna().all()]
    classes = [column.removeprefix("c_") for column in columns]
    own = clips.iloc[rows["clip"]]
    kept = np.ones(len(rows), bool)
    for column, value in state["filters"].items():
        kept &= own[column].map(lambda text, c=column: level(c, text), na_action="ignore").eq(value).to_numpy()
    if state["emotion"]:
        kept &= rows["truth"].astype(str).eq(state["emotion"]).to_numpy()
    rows, own = rows[kept], own[kept]
    if rows.empty:
        return {"n": 0}
    proba = coding.decode(rows[columns].to_numpy(np.uint8)).astype(float)
    truth, prediction, proba = metrics.check(rows["truth"], rows["prediction"], proba, classes=classes)
    drawn = intervals.resample(truth, own["speaker"].to_numpy(), n_bootstrap=resamples, rng=Mulberry(1))
    parts = intervals.totals(truth, prediction, None, drawn, n_classes=len(classes))
    _, spans = intervals.score_intervals([parts], drawn)
    counts = metrics.confusion(rows["truth"], rows["prediction"], classes)
    return {
        "n": len(rows),
        "classes": classes,
        "counts": counts,
        "kind": drawn.kind,
        "uar": (float(metrics.uar(counts)), spans["uar"].low, spans["uar"].high),
        "accuracy": (float(metrics.accuracy(counts)), spans["accuracy"].low, spans["accuracy"].high),
        "log_loss": float(probabilities.clip_log_loss(truth, proba).mean()),
        "brier": float(probabilities.clip_brier(truth, proba).mean()),
        "ece": probabilities.ece(truth, proba),
        "calibrated": probabilities.ece_if_calibrated(proba, draws=draws, rng=Mulberry(2)),
        "risk": abstention.risk_coverage(truth == prediction, proba.max(axis=1)),
    }


def random_state(about: dict, random: np.random.Generator) -> dict:
    """One to four systems of a selection, up to two columns that its clips are chosen by, and often an emotion."""
    selection = random.choice(sorted(about["selections"]))
    names = [one["name"] for one in about["systems"] if one["selection"] == selection]
    systems = random.choice(names, size=min(len(names), int(random.integers(1, 5))), replace=False).tolist()
    columns = random.choice(len(about["columns"]), size=int(random.integers(0, 3)), replace=False)
    chosen = [about["columns"][place] for place in columns]
    filters = {column["name"]: str(random.choice(column["levels"])) for column in chosen}
    classes = next(one["classes"] for one in about["systems"] if one["name"] == systems[0])
    emotion = str(random.choice(classes)) if random.uniform() < 0.3 else ""
    return {"selection": str(selection), "systems": systems, "filters": filters, "emotion": emotion}


def opened(browser, page: Path, address: str = "", **options) -> None:
    """The page, once it has started."""
    browser.get("about:blank")
    visit(browser, page, fragment=address, **options)
    browser.execute_async_script("const done = arguments[0]; explorer.ready.then(() => setTimeout(done, 50))")
    assert browser.find_element("css selector", "#explorer-problem").text == ""


def computed(browser, state: dict) -> dict:
    """What the page computes; NaN, which JSON lacks, comes as None."""
    script = "const {systems, milliseconds} = explorer.compute(arguments[0]);"
    script += "return {systems: systems.map(one => ({...one, rows: null})), milliseconds}"
    return browser.execute_script(script, state)


def compare(browser, run: Path, *, views: int, seed: int = 0) -> pd.DataFrame:
    """Compare random views with the study's own numbers, to 1e-9; one row a system with clips: how many clips, which
    kind of interval, and the milliseconds of the view."""
    about = browser.execute_script("return explorer.about")
    random, seen = np.random.default_rng(seed), []
    for _ in range(views):
        state = random_state(about, random)
        result = computed(browser, state)
        for name, own in zip(state["systems"], result["systems"]):
            draws = own.get("draws", 0)
            known = expected(run, name, state, resamples=about["resamples"], draws=draws)
            assert own["n"] == known["n"], state
            if known["n"]:
                _check(own, known, state)
                seen.append({"n": own["n"], "kind": known["kind"], "milliseconds": result["milliseconds"]})
    return pd.DataFrame(seen)


def _check(own: dict, known: dict, state: dict) -> None:
    assert own["classes"] == known["classes"]
    assert np.array_equal(own["counts"], known["counts"]), state
    assert KINDS[own["kind"]] == known["kind"], state
    for name in ("uar", "accuracy"):
        limits = [np.nan if own[name][part] is None else own[name][part] for part in ("value", "low", "high")]
        assert limits == pytest.approx(known[name], **EXACT), (name, state)
    for name, mine in (("logLoss", "log_loss"), ("brier", "brier"), ("ece", "ece"), ("eceIfCalibrated", "calibrated")):
        assert own[name] == pytest.approx(known[mine], **EXACT), (name, state)
    for name, values in zip(("threshold", "coverage", "accuracy"), known["risk"]):
        assert own["risk"][name] == pytest.approx(values, **EXACT), (name, state)
