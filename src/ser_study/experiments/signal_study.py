"""Does another preparation of the signal, or do augmented copies of the training clips, help with new speakers?

Both comparisons are development: they are decided on the *valid* rows of the speaker folds, by models
that have not seen those speakers, and no test row is read. The hyperparameters are chosen on the same
rows, alike for all, so the differences are fair while the scores themselves are a little too good.
In each table every row is set against the reference of its corpus, feature and model (clips as the
study prepares them, no copies), paired by clip; Holm's correction runs over the rows of one corpus.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import config as settings
from ser_study.audio import signal
from ser_study.config import Config
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import run
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.store import Store
from ser_study.words import listed, minus, p_text, word

PROTOCOL = "speaker_independent"
REFERENCE = "reference"
COPIES: Mapping[str, tuple[int, ...]] = {  # what joins the training clips, by variant
    "noise": (1,),
    "stretch and pitch": (3,),
    "shift": (4,),
    "pitch": (5,),
    "stretch": (6,),
    "noise, stretch and pitch": (1, 3),  # all of seed 001's: said to help
    "pitch, and stretch": (5, 6),  # seed 003's: said to hurt
}
CLAIMS = {"noise, stretch and pitch": ("001", "helps"), "pitch, and stretch": ("003", "hurts")}
LEARNERS = (("seed184", "forest"), ("summary", "logistic"))  # feature and model of the augmentation table
TOLD_BY = {  # which student system prepares its clips so
    "rms strip": "000",
    "trim 60 dB": "001, 004",
    "rolling-sum cut": "003",
    "pad centre": "003",
    "first second": "004",
    "noise reduction": "004",
    "22.05 kHz": "000, 001, 002",
    "44.1 kHz": "004",
}
COLUMNS = (
    *("corpus", "feature", "model", "treatment", "variants", "uar", "difference", "low", "high", "interval"),
    *("p", "p_holm", "note", "n", "n_speakers", "n_train"),
)
SIGNAL_COLUMNS = ("corpus", "treatment", "seeds", *COLUMNS[5:-1])
AUGMENTATION_COLUMNS = ("corpus", "feature", "model", "copies", "claim", *COLUMNS[5:])


def selections(config: Config, gathered: Mapping[str, Material]) -> list[str]:
    """The selections compared: those of ``study.large_corpora`` that are there, else the first that is able.

    With three speakers none is left for valid.
    """
    able = [name for name, part in gathered.items() if part.n_speakers > 3]
    return [name for name in able if name in config.study.large_corpora] or able[:1]


def treatments(config: Config, gathered: Mapping[str, Material]) -> list[Experiment]:
    """The reference and every treatment that differs from it, on the feature and model of the ladder."""
    study = config.study
    names = [name for name in signal.TREATMENTS if signal.treated(config, name).audio != config.audio]
    return [
        Experiment(selection, PROTOCOL, study.ladder_feature, study.ladder_model, treatment=name)
        for selection in selections(config, gathered)
        for name in ("", *names)
    ]


def augmentation(config: Config, gathered: Mapping[str, Material]) -> list[Experiment]:
    """The reference and every set of copies, on a forest of 001's features and on the ladder's system."""
    return [
        Experiment(selection, PROTOCOL, feature, model, variants=variants)
        for selection in selections(config, gathered)
        for feature, model in LEARNERS
        for variants in ((), *COPIES.values())
    ]


def told(
    declared: list[Experiment], gathered: Mapping[str, Material], *, config: Config, store: Store
) -> dict[Experiment, pd.DataFrame]:
    """Predictions of the declared experiments, from the store or computed now; no test score is looked at."""
    return run.answers(declared, gathered, config=config, store=store, look=False)


def valid_table(predictions: Mapping[Experiment, pd.DataFrame], clips: pd.DataFrame, *, config: Config) -> pd.DataFrame:
    """Every experiment against its reference, on the valid rows (``COLUMNS``).

    Parameters
    ----------
    predictions : of the experiments that ``treatments`` or ``augmentation`` declare, one call a family
    clips : clips table that holds the clips of all selections

    Returns
    -------
    One row an experiment, in the order given; a reference has no difference.

    Raises
    ------
    ValueError
        An experiment has no valid rows, or its reference was not predicted.
    """
    rows = []
    for selection in dict.fromkeys(one.selection for one in predictions):
        own = {one: _valid_rows(one, table) for one, table in predictions.items() if one.selection == selection}
        against = {one: _reference_of(one, own) for one in own}
        pairs = [(other.name, one.name) for one, other in against.items() if one != other]
        steps = _steps(own, clips, pairs, selection, config)
        speaker = clips.set_index("clip_id")["speaker"]
        rows += [_row(one, table, speaker, steps) for one, table in own.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _valid_rows(one: Experiment, table: pd.DataFrame) -> pd.DataFrame:
    """Valid rows, called test rows from here on because that is the role the comparisons score."""
    valid = table[(table["role"] == "valid") & (table["variant"] == 0)]
    if valid.empty:
        raise ValueError(
            f"{one.name} has no valid rows to compare by; declare it on speaker folds, with fixed=False, "
            "on a selection with four speakers or more."
        )
    return valid.assign(role="test")


def _reference_of(one: Experiment, given: Mapping[Experiment, pd.DataFrame]) -> Experiment:
    for other in given:
        same = (other.feature, other.model, other.protocol) == (one.feature, one.model, one.protocol)
        if same and not other.treatment and not other.variants:
            return other
    raise ValueError(f"{one.name} has nothing to be compared with; predict the same without treatment or copies too.")


def _steps(own: Mapping, clips: pd.DataFrame, pairs: list, selection: str, config: Config) -> pd.DataFrame:
    if not pairs:
        return pd.DataFrame(columns=["experiment_b"]).set_index("experiment_b")
    random = settings.rng(config, f"valid/{selection}")
    everything = pd.concat(own.values(), ignore_index=True)
    table = comparisons.steps(everything, clips, pairs, family=selection, evaluation=config.evaluation, rng=random)
    return table.set_index("experiment_b")


def _row(one: Experiment, table: pd.DataFrame, speaker: pd.Series, steps: pd.DataFrame) -> dict:
    row = {
        "corpus": one.selection,
        "feature": one.feature,
        "model": one.model,
        "treatment": one.treatment or REFERENCE,
        "variants": "+".join(map(str, one.variants)),
        "uar": metrics.uar_of(table),
        "note": "",
        "n": table["clip_id"].nunique(),
        "n_speakers": speaker[table["clip_id"]].nunique(),
        "n_train": round(table["n_train"].mean()),
    }
    if one.name not in steps.index:
        return row
    step = steps.loc[one.name]
    kept = ("difference", "low", "high", "interval", "p", "p_holm", "note", "n")
    return row | {name: step[name] for name in kept} | {"uar": step["value_b"]}


def signal_table(table: pd.DataFrame) -> pd.DataFrame:
    """The treatments as the chapter shows them (``SIGNAL_COLUMNS``); ``table`` is a ``valid_table``."""
    return table.assign(seeds=table["treatment"].map(TOLD_BY).fillna(""))[list(SIGNAL_COLUMNS)]


def augmentation_table(table: pd.DataFrame) -> pd.DataFrame:
    """The copies as the chapter shows them (``AUGMENTATION_COLUMNS``); ``table`` is a ``valid_table``."""
    named = {"+".join(map(str, variants)): name for name, variants in COPIES.items()} | {"": "none"}
    copies = table["variants"].map(named)
    claim = copies.map({name: f"{seed}: {said}" for name, (seed, said) in CLAIMS.items()}).fillna("")
    return table.assign(copies=copies, claim=claim)[list(AUGMENTATION_COLUMNS)]


def signal_words(shown: pd.DataFrame) -> str:
    """Which treatments beat or miss the reference beyond chance, corpus by corpus."""
    said = []
    for corpus, rows in shown[shown["difference"].notna()].groupby("corpus", sort=False):
        sure = rows[rows["p_holm"] < 0.05].sort_values("difference")
        named = [f"{row.treatment} ({_points(row.difference)}, p {p_text(row.p_holm)})" for row in sure.itertuples()]
        found = listed(named) if named else "none"
        span = f"{_points(rows['difference'].min())} to {_points(rows['difference'].max())}"
        said.append(
            f"On {word(corpus)} the {len(rows)} other preparations change UAR by {span}; beyond chance: {found}."
        )
    return " ".join(said)


def augmentation_words(shown: pd.DataFrame) -> str:
    """What becomes of 001's claim that copies help and of 003's that they hurt."""
    said = []
    for name, (seed, claim) in CLAIMS.items():
        rows = shown[shown["copies"] == name]
        if rows.empty:
            continue
        direction = 1 if claim == "helps" else -1
        upheld = [row for row in rows.itertuples() if row.p_holm < 0.05 and row.difference * direction > 0]
        refuted = [row for row in rows.itertuples() if row.p_holm < 0.05 and row.difference * direction < 0]
        each = [f"{_points(row.difference)} on {word(row.corpus)} with {word(row.model)}" for row in rows.itertuples()]
        verdict = f"beyond chance it {claim} in {len(upheld)} and does the opposite in {len(refuted)} of {len(rows)}"
        said.append(f"Seed {seed} says that augmentation {claim}; its copies ({name}) give {listed(each)}: {verdict}.")
    return " ".join(said)


def _points(difference: float) -> str:
    points = round(100 * difference, 1) + 0.0  # + 0 turns -0.0 into 0.0
    return f"{'+' if points > 0 else ''}{minus(points)} points"
