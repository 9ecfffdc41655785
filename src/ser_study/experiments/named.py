"""An experiment from its name, ``CORPUS/PROTOCOL/FEATURE/MODEL`` and what differs from the defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ser_study import corpora, features, schema, splits
from ser_study.config import unknown
from ser_study.experiments.experiment import BY_SPEAKER, Experiment
from ser_study.experiments.joint import MODEL as JOINT_MODEL
from ser_study.models import registry

FORM = "CORPUS/PROTOCOL/FEATURE/MODEL"
_FROM_SOURCES = ("cross_corpus", "speaker_independent")


def parse(name: str) -> Experiment:
    """The experiment of a name, whether a run declares it or not.

    Parameters
    ----------
    name : such as ``emodb/leave_one_speaker_out/campplus+moonshine/lda``; more parts may follow: a label scheme,
        ``fixed``, ``from-CORPUS`` (trained on others), ``beside-CORPUS+CORPUS`` (others may join in)

    Returns
    -------
    Experiment

    Raises
    ------
    ValueError
        A part is unknown (near names are given), or the parts do not go together.
    """
    parts = name.strip().strip("/").split("/")
    if len(parts) < 4:
        raise ValueError(f"An experiment is named {FORM}, such as emodb/speaker_independent/egemaps/lda; got {name!r}.")
    selection, protocol, feature, model, *rest = parts
    made = [key for key, one in splits.PROTOCOLS.items() if one.make is not None]
    _known("selection", [selection], corpora.selections())
    _known("protocol", [protocol], made)
    _known("feature", feature.split("+"), features.names())
    _known("model", [model], registry.names())
    options = {key: value for part in rest for key, value in _option(part).items()}
    one = Experiment(selection, protocol, feature, model, **options)
    _check(one)
    return one


def _option(part: str) -> dict:
    """What a further part of a name says."""
    if part == "fixed":
        return {"fixed": True}
    for start, key in (("from-", "sources"), ("beside-", "others")):
        if part.startswith(start):
            names = part.removeprefix(start).split("+")
            _known("selection", names, corpora.selections())
            return {key: tuple(names)}
    _known("label scheme or option", [part], [*schema.SCHEMES, "fixed", "from-", "beside-"])
    return {"scheme": part}


def _known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(unknown(what, name, known))


def _check(one: Experiment) -> None:
    """Raise ``ValueError`` where the parts of an experiment do not go together."""
    rules: list[tuple[bool, Callable[[], str]]] = [
        (one.protocol == "cross_corpus" and not one.sources,
         lambda: f"cross_corpus trains on other corpora; name them: {one.name}/from-crema_d."),
        (bool(one.sources) and one.protocol not in _FROM_SOURCES,
         lambda: f"What trains on something else (from-…) is tested as {' or '.join(_FROM_SOURCES)}, not as "
                 f"{one.protocol!r}."),
        (bool(one.others) and bool(one.fixed or one.sources),
         lambda: f"Other corpora join in (beside-…) as inner folds choose; leave out "
                 f"{'fixed' if one.fixed else 'from-' + '+'.join(one.sources)}."),
        (bool(one.others) and one.model != JOINT_MODEL,
         lambda: f"Other corpora join in with the model {JOINT_MODEL!r} only, not with {one.model!r}."),
        (bool(one.others) and one.protocol not in BY_SPEAKER,
         lambda: f"Other corpora join in where speakers are separated ({', '.join(BY_SPEAKER)}), not in "
                 f"{one.protocol!r}."),
        (one.selection in (*one.others, *one.sources),
         lambda: f"{one.selection} is what is tested; name other corpora."),
    ]  # fmt: skip
    for broken, message in rules:
        if broken:
            raise ValueError(message())
