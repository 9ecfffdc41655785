"""Chapter 06: do several models together do better than the best of them? Votes from predictions alone.

Conventions
-----------
Everything is decided on valid speakers: which single system is the best, which model speaks for a feature, the
weights of a vote, the fit of a stack. Test rows of the members are averaged, never fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import ladder, ledger, run
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.models import ensembles
from ser_study.store import Store
from ser_study.words import listed, minus, p_text, word

PROTOCOL = "speaker_independent"
SINGLE = "best single system"
COLUMNS = ["corpus", "system", "members", "uar_valid", "uar", "difference", "low", "high", "p", "p_holm", "n", "note"]
TESTED = ("difference", "low", "high", "p", "p_holm", "note")
MIN_SPEAKERS = 4  # one in test; of three others one can be valid (splits.units.MIN_POOL_SPEAKERS)


def table(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Votes against the best single system, selection by selection (``COLUMNS``).

    ``difference`` is the UAR of the vote minus that of the single system on the same test clips, with its
    interval over speakers; p is the sign-flip test over speakers, corrected over the votes of the selection.
    """
    parts = []
    for name, part in gathered.items():
        if part.n_speakers >= MIN_SPEAKERS:
            parts.append(_selection(name, gathered, config=config, store=store))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def members(selection: str, config: Config) -> list[Experiment]:
    """The league's systems of a selection on new speakers, but for the majority class."""
    declared = ladder.league(config, {selection: [PROTOCOL]})
    return [one for one in declared if one.model != "dummy"]


def _selection(name: str, gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    clips = gathered[name].clips
    done = run.answers(members(name, config), gathered, config=config, store=store)
    valid = {one: metrics.uar_of(told[told["role"] == "valid"]) for one, told in done.items()}
    best = max(valid, key=valid.get)
    voted = _votes(done, valid, best, clips)
    everything = {SINGLE: (done[best].assign(experiment=SINGLE), [best]), **voted}
    told = pd.concat([_renamed(table, label) for label, (table, _) in everything.items()], ignore_index=True)
    random = settings.rng(config, f"votes/{name}")
    pairs = [(SINGLE, label) for label in voted]
    steps = comparisons.steps(told, clips, pairs, family=name, evaluation=config.evaluation, rng=random)
    _log(name, everything, store)
    steps = steps.set_index("experiment_b")
    rows = []
    for label, (table_, parts) in everything.items():
        row = {"corpus": name, "system": label, "members": _said(parts)}
        row |= {"uar_valid": _uar(table_, "valid"), "uar": _uar(table_, "test"), "n": table_["clip_id"].nunique()}
        rows.append(row | (steps.loc[label, list(TESTED)].to_dict() if label in steps.index else {}))
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _votes(done, valid, best: Experiment, clips: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, list[Experiment]]]:
    """Label → predictions and members."""
    models = [one for one in done if one.feature == best.feature]
    features = dict.fromkeys(one.feature for one in done)
    leaders = [max((one for one in done if one.feature == name), key=valid.get) for name in features]
    speakers = clips.set_index("clip_id")["speaker"]
    sets = {"vote of the models": models, "vote of the features": leaders}
    made = {}
    for label, chosen in sets.items():
        if len(chosen) > 1:
            made[label] = (ensembles.soft_vote([done[one] for one in chosen], name=label), chosen)
    if len(leaders) > 1:
        tables = [done[one] for one in leaders]
        weights = ensembles.weights_on_valid(tables)
        made["weighted vote"] = (ensembles.soft_vote(tables, weights, name="weighted vote"), leaders)
        made["stack"] = (ensembles.stack(tables, groups=_groups(tables[0], speakers), name="stack"), leaders)
    return made


def _groups(table: pd.DataFrame, speakers: pd.Series) -> pd.Series | None:
    """Speakers for the stack's valid rows; None where a fold has only one valid speaker to predict unseen."""
    valid = table[table["role"] == "valid"]
    several = valid["clip_id"].map(speakers).groupby([valid["repeat"], valid["fold"]]).nunique().min() > 1
    return speakers if several else None


def _renamed(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Predictions under the name of a system, with what the comparisons read."""
    return table.assign(experiment=label, model=label, feature="", leak="")


def _uar(table: pd.DataFrame, role: str) -> float:
    rows = table[table["role"] == role]
    return metrics.uar_of(rows) if len(rows) else float("nan")


def _said(members: list[Experiment]) -> str:
    """Models with what they read: "LDA and kNN on summaries; LDA on eGeMAPS"."""
    models: dict[str, list[str]] = {}
    for one in members:
        models.setdefault(one.feature, []).append(word(one.model))
    return "; ".join(f"{listed(names)} on {word(feature)}" for feature, names in models.items())


def _log(selection: str, everything: Mapping[str, tuple[pd.DataFrame, list[Experiment]]], store: Store) -> None:
    """Every vote that is scored on test rows is a look."""
    votes = {label: told for label, told in everything.items() if label != SINGLE}
    names = {label: f"{selection}/{PROTOCOL}/{label.replace(' ', '_')}" for label in votes}
    looks = {names[label]: settings.fingerprint([label, *(one.digest for one in parts)])[:12]
             for label, (_, parts) in votes.items()}  # fmt: skip
    if votes:
        told = [ledger.look(table, experiment=names[label]) for label, (table, _) in votes.items()]
        ledger.record(looks, pd.concat(told, ignore_index=True), store)


def words(shown: pd.DataFrame) -> str:
    """The best vote of every selection against the single system, effect before p."""
    lines = []
    for corpus, rows in shown.groupby("corpus", sort=False):
        voted = rows[rows["difference"].notna()]
        if voted.empty:
            continue
        one = voted.loc[voted["uar_valid"].idxmax()]
        span = f"[{minus(100 * one['low'])}, {minus(100 * one['high'])}]"
        note = f" ({one['note']})" if one["note"] else ""
        lines.append(
            f"- **{word(corpus)}**: the {one['system']}, best on valid speakers, is {minus(100 * one['difference'])} "
            f"points {span} from the single system on test speakers, p (Holm) {p_text(one['p_holm'])}{note}."
        )
    return "\n".join(lines) or "No selection here has the four speakers that a vote needs to be decided by."


def seed_votes(models: pd.DataFrame) -> pd.DataFrame:
    """The votes of the seeds beside their best member on the same list; empty where no system here votes.

    Parameters
    ----------
    models : ``seed_results.all_models`` or ``seed_results.rebuilt_models``
    """
    named = models["model"].str.startswith(("v1_", "v2_", "v3_", "v4_", "vote_"))
    single = models[~named].sort_values("rebuilt", ascending=False).drop_duplicates("id").set_index("id")
    voted = models[named]
    best = voted["id"].map(single["rebuilt"]).astype(float)  # of no vote at all pandas makes text
    told = voted.assign(best_member=voted["id"].map(single["model"]), gain=voted["rebuilt"] - best)
    return told[["id", "model", "published", "rebuilt", "sd", "n_seeds", "best_member", "gain"]].reset_index(drop=True)
