"""What chapter 05 trains: the students' networks and some of ours, a study of regularisation, a fine-tuned encoder."""

from __future__ import annotations

from collections.abc import Mapping

from ser_study import features, finetuning
from ser_study.experiments import baselines
from ser_study.experiments.experiment import Experiment
from ser_study.models import deep, registry
from ser_study.study import Study

OURS: Mapping[str, tuple[tuple[str, str], ...]] = {  # student project → (feature, network) beside its own
    "E000": (("log_mel", "cnn_lstm_000"),),
    "E002b": (("means180", "rnn_002"),),
    "E003": tuple(
        ("campplus_frames", network) for network in ("bigru", "attention_pool", "rnn_stack", "gru_stack", "lstm_stack")
    ),
    "E004": (("log_mel87", "cnn_bilstm"), ("log_mel87", "cnn_bilstm_chunks")),
}
SMALL = (("means184", "mlp_head"), ("log_mel", "cnn_lstm_000"))  # without the students' clips; both learn in seconds
REGULARISED, REGULARISED_NETWORK = "E002b", "conv8_002"  # project and network whose regularisation is varied
FINETUNED = "campplus_fbank"  # what the fine-tuned encoder reads
PREFERRED = "ravdess-speech"  # what it is trained on, where it is here


def networks(study: Study) -> list[Experiment]:
    """Networks of the chapter: the students' own on their lists, ours beside them; where there are none, two small
    ones on new speakers of the smallest selection that allows it, else on a random split.

    The students' own are declared as in chapter 08, so that nothing is trained twice.
    """
    config, declared = study.config, []
    for baseline in baselines.BASELINES.values():
        if baseline.selection in study.baselines:
            ours = OURS.get(baseline.id, ()) if config.networks.extra else ()
            declared += [one for one in baselines.rebuilds(baseline, config).values() if is_network(one)]
            declared += [_on_list(baseline, *row, draws=config.training.seeds) for row in ours]
    if not declared:
        by_speaker = [name for name, allowed in study.possible.items() if "speaker_independent" in allowed]
        smallest = min(by_speaker or study.selections, key=lambda name: len(study.selections[name].clips))
        place = (smallest, "speaker_independent" if by_speaker else "random")
        declared = [Experiment(*place, *row, draws=config.training.seeds) for row in SMALL]
    return [one for one in declared if one.feature in features.names()]


def regularisation(study: Study) -> list[Experiment]:
    """E002's study of dropout, penalties and batch sizes, at few epochs; compared on validation rows alone.

    Empty without that project's clips.
    """
    baseline = baselines.BASELINES[REGULARISED]
    if baseline.selection not in study.baselines:
        return []
    varied = [name for name in deep.NETWORKS if name.startswith(f"{REGULARISED_NETWORK}_")]
    return [_on_list(baseline, "means180", name) for name in varied]


def finetuned(study: Study) -> list[Experiment]:
    """The fine-tuned encoder on one selection (RAVDESS speech where it is here) with four speakers or more; empty
    where the settings ask for no folds."""
    if not study.config.finetuning.folds:
        return []
    able = [name for name, part in study.selections.items() if part.n_speakers > 3 and name != "synthetic"]
    chosen = [PREFERRED] if PREFERRED in able else able[:1]
    variants = study.config.finetuning.variants
    return [Experiment(name, "speaker_independent", FINETUNED, finetuning.NAME, variants=variants) for name in chosen]


def is_network(experiment: Experiment) -> bool:
    """Whether an experiment trains a network with Keras."""
    return registry.get(experiment.model).family == "deep"


def _on_list(baseline: baselines.Baseline, feature: str, network: str, *, draws: int = 1) -> Experiment:
    """A network on the published list of a student project."""
    return Experiment(baseline.selection, "baseline_list", feature, network, scheme=baseline.scheme, draws=draws)
