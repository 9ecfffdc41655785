"""CAM++ trained on all corpora at once: what its finished folds score, beside a head on the frozen network."""

from __future__ import annotations

import json

import pandas as pd
from matplotlib.figure import Figure

from ser_study import config as settings
from ser_study.chapters.systems import protocols
from ser_study.evaluation import metrics, tables
from ser_study.experiments import joint_finetuned
from ser_study.plotting.marks import need
from ser_study.plotting.palette import CYCLE, canvas, styled
from ser_study.study import Study
from ser_study.wording import Caption, interval, listed, share, signed, word

COLUMNS = ["corpus", "uar", "low", "high", "interval", "n", "n_speakers", "frozen", "difference", "folds"]
CURVE = ["fold", "epoch", "stage", "validation_uar", "loss", "seconds", "best"]
EMPTY = (
    "Not in this run: the six trainings take a night on two cores. The preset `complete`, or "
    "`--set joint_finetuning.train=true`, trains them."
)


def predictions(study: Study) -> dict[str, pd.DataFrame]:
    """Selection → predictions of the folds that are trained; of all folds where the settings say so."""
    audible = study.with_audio()
    options = {"config": study.config, "store": study.store}
    done = joint_finetuned.finished_folds(audible.selections, **options)
    if study.config.joint_finetuning.train:
        done = None
    elif not done:
        return {}
    return joint_finetuned.predict(audible.selections, folds=done, **options)


def scores(study: Study, done: dict[str, pd.DataFrame], recipes: protocols.Recipes) -> pd.DataFrame:
    """UAR on the test speakers of the trained folds, and that of the encoder's recipe on the same clips (``COLUMNS``).

    Parameters
    ----------
    done : of ``predictions``
    recipes : of ``protocols.recipes``
    """
    rows = []
    for name, table in done.items():
        random = settings.rng(study.config, settings.SCORES)
        scored = tables.scores(table, study.clips(name), evaluation=study.config.evaluation, rng=random)
        row = scored[scored["metric"] == "uar"].iloc[0]
        facts = {key: row[key] for key in ("low", "high", "interval", "n", "n_speakers")}
        frozen = _frozen(study, recipes.get(name, {}), set(table.loc[table["role"] == "test", "clip_id"]))
        facts |= {"corpus": name, "uar": row["value"], "frozen": frozen, "difference": row["value"] - frozen}
        rows.append(facts | {"folds": table["fold"].nunique()})
    return pd.DataFrame(rows, columns=COLUMNS)


def _frozen(study: Study, kinds, clip_ids: set[str]) -> float:
    """UAR of the encoder's recipe on some clips."""
    if "encoder_head" not in kinds:
        return float("nan")
    table = study.predictions(kinds["encoder_head"])
    return metrics.uar_of(table[(table["role"] == "test") & table["clip_id"].isin(clip_ids)])


def curves(done: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every epoch of every trained fold (``CURVE``)."""
    rows: dict[tuple[int, int], dict] = {}
    for table in done.values():
        for fold, params in table.drop_duplicates("fold")[["fold", "params"]].itertuples(index=False):
            for number, epoch in enumerate(json.loads(params)["history"], start=1):
                rows[fold, number] = {"fold": fold, "epoch": number} | epoch
    return pd.DataFrame([rows[key] for key in sorted(rows)]).reindex(columns=CURVE)


@styled
def figure(curve: pd.DataFrame) -> Figure | None:
    """Validation UAR epoch by epoch, one line a fold; the diamond is the epoch whose weights are kept."""
    if curve.empty:
        return None
    need(curve, CURVE, what="learning curve")
    drawn, axes = canvas(1, 1, height=3.0, title=title(curve))
    ax = axes[0, 0]
    for (fold, line), colour in zip(curve.groupby("fold"), CYCLE):
        ax.plot(line["epoch"], line["validation_uar"], color=colour, label=f"fold {fold}")
        best = line.loc[line["validation_uar"].idxmax()]
        ax.plot(best["epoch"], best["validation_uar"], "D", color=colour, markersize=5)
    last_of_head = curve.loc[curve["stage"] == "head"].groupby("fold")["epoch"].max()
    ax.set(xlabel=f"epoch (the block learns from epoch {last_of_head.max() + 1} on, at the latest)")
    ax.set_ylabel("validation UAR, mean of corpora (0–1)")
    ax.yaxis.set_major_formatter(lambda value, _: share(value, 2))
    drawn.legend(loc="outside lower left", ncols=6)
    return drawn


def title(curve: pd.DataFrame) -> str:
    """What letting the network learn adds to a head on it, on validation speakers."""
    best = curve.groupby(["fold", "stage"])["validation_uar"].max().unstack()
    if "block" not in best:
        return "A head on the frozen network, trained on all corpora at once"
    gain = 100 * (best["block"] - best["head"]).mean()
    return f"Letting the last block learn adds {signed(gain)} points on validation speakers"


def curve_caption(curve: pd.DataFrame) -> Caption:
    """The learning curves."""
    words = (
        "CAM++ trained on all corpora at once, one training a fold of their speakers. Validation speakers choose the "
        "epoch, so these scores are a little too good."
    )
    hours = curve["seconds"].sum() / 3600
    finding = f"{curve['fold'].nunique()} folds, {len(curve)} epochs, {hours:.1f} hours."
    return Caption("joint_curves", words, alt=f"{title(curve)}." if len(curve) else "", finding=finding, empty=EMPTY)


def table_caption(table: pd.DataFrame) -> Caption:
    """The scores on test speakers."""
    words = (
        "UAR of the network trained on all corpora at once, on the test speakers of the folds that are trained, beside "
        "the recipe with a frozen encoder on the same clips."
    )
    lines = [
        f"{word(row.corpus)} {interval(row.uar, row.low, row.high)} ({signed(100 * row.difference)} points)"
        for row in table.itertuples()
    ]
    labels = {"uar": "fine-tuned", "frozen": "frozen encoder"}
    return Caption(
        "joint_networks",
        words,
        finding=f"{listed(lines)}." if lines else "",
        labels=labels,
        empty="Without them there is no score on test speakers.",
    )
