"""Speed of the pretrained encoders on one core: CAM++ as an ONNX graph and in Keras, the others cut and whole.

Run with ``pytest tests/benchmarks/test_encoder_speed.py -s``. Each way has a fresh process, held to one thread: from
its start to the first answer with all that is imported, processor time until the third, then milliseconds a clip (the
fastest of some rounds, clip by clip, so that other load on the machine counts little). Only agreement is asserted,
times are printed. Without ``-s`` nobody reads times, so there is one round of few clips.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ser_study.parallel import TENSORFLOW_THREADS, THREADS

N_CLIPS, N_ROUNDS, RATE = 24, 4, 16_000
FEW = 4  # clips in one round, where times are not read
CLOSE = 1e-3


def campplus_onnx():
    """CAM++ as the features have it."""
    from ser_study.features import campplus

    return lambda signal: campplus.pooled(signal, RATE)


def campplus_keras():
    """The same from the network that is trained."""
    from ser_study.features import campplus, campplus_network

    model = campplus_network.pretrained(("block2",))
    model.compile(jit_compile=False)

    def pooled(signal):
        frames = np.asarray(model.predict_on_batch(campplus.filterbank(signal)[None]))[0]
        return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])

    return pooled


def moonshine_cut():
    """Moonshine up to the third layer."""
    from ser_study.features import encoders

    return lambda signal: encoders.moonshine(signal, RATE, layer=3)


def moonshine_whole():
    """All six layers, as the published file has them."""
    import onnxruntime

    from ser_study.download import weights

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights.path("moonshine").read_bytes(), options)

    def frames(signal):
        inputs = {"input_values": signal[None], "attention_mask": np.ones((1, len(signal)), np.int64)}
        return session.run(None, inputs)[0][0]

    return frames


def smart_turn_cut():
    """smart-turn up to the second layer, as long as the clip is."""
    from ser_study.features import smart_turn

    return lambda signal: smart_turn.pooled(signal, RATE)


def smart_turn_whole():
    """All eight layers and 8 s in whole numbers, as the published file has them."""
    from ser_study.download import weights
    from ser_study.features import onnx_models, smart_turn, smart_turn_onnx

    session = onnx_models.opened(weights.path("smart_turn").read_bytes())

    def answer(signal):
        mel = smart_turn.log_mel(np.pad(signal, (smart_turn.LONGEST - len(signal), 0)))
        return session.run(None, {smart_turn_onnx.INPUT: mel[None]})[0]

    return answer


WAYS = (campplus_onnx, campplus_keras, moonshine_cut, moonshine_whole, smart_turn_cut, smart_turn_whole)
MADE = (campplus_onnx, moonshine_cut, smart_turn_cut)  # from the published weights, when they run first


def _signals(n_clips: int) -> list[np.ndarray]:
    """As long as the corpora's clips, 2.2 s on average."""
    random = np.random.default_rng(0)
    order = random.permutation(np.linspace(1.2, 3.2, n_clips))
    return [random.normal(0, 0.1, round(RATE * seconds)).astype(np.float32) for seconds in order]


def _measure(way: str, started: float, n_clips: int) -> dict[str, float | list]:
    """What a fresh process finds; its own start counts."""
    run, signals = globals()[way](), _signals(n_clips)
    values = run(signals[0])
    first = time.time() - started
    for signal in signals[1:3]:
        run(signal)
    processor, best = time.process_time(), np.full(n_clips, np.inf)
    for _ in range(1 if n_clips == FEW else N_ROUNDS):
        for i, signal in enumerate(signals):
            start = time.perf_counter()
            run(signal)
            best[i] = min(best[i], time.perf_counter() - start)
    facts = {"first": first, "processor": processor, "ms": 1000 * float(best.mean())}
    return facts | {"values": values.tolist(), "keras": "keras" in sys.modules}


def _in_a_fresh_process(way: str, n_clips: int = FEW) -> dict:
    one = {**dict.fromkeys((*THREADS, *TENSORFLOW_THREADS), "1"), "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, __file__, way, str(time.time()), str(n_clips)]
    done = subprocess.run(command, env={**os.environ, **one}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache with the published weights alone, so that graphs are made in it."""
    from ser_study.download import weights

    pytest.importorskip("onnxruntime", reason="the extra 'encoders' is not installed")
    for name in ("campplus", "moonshine", "smart_turn"):
        if not weights.is_here(name):
            pytest.skip(f"needs the weights: ser-study download {name}")
        (tmp_path / weights.get(name).file_name).symlink_to(weights.path(name))
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    return Path(tmp_path)


def test_speed_and_agreement(cache, capsys, request):
    n_clips = N_CLIPS if request.config.getoption("capture") == "no" else FEW
    made = {way.__name__: _in_a_fresh_process(way.__name__)["first"] for way in MADE}
    facts = {way.__name__: _in_a_fresh_process(way.__name__, n_clips) for way in WAYS}
    with capsys.disabled():
        print(f"\n{n_clips} clips of 2.2 s on average, one core")
        print(f"{'':>18}{'ms a clip':>11}{'start to first, s':>19}{'graph made, s':>15}{'CPU to third, s':>17}")
        for name, row in facts.items():
            first_time = f"{made[name]:.2f}" if name in made else ""
            print(f"{name:>18}{row['ms']:11.1f}{row['first']:19.2f}{first_time:>15}{row['processor']:17.2f}")
        for fast, slow in zip(WAYS[::2], WAYS[1::2]):
            fast, slow = fast.__name__, slow.__name__
            print(f"{slow} takes {facts[slow]['ms'] / facts[fast]['ms']:.2f} times as long as {fast}")
    assert not facts["campplus_onnx"]["keras"]
    np.testing.assert_allclose(facts["campplus_onnx"]["values"], facts["campplus_keras"]["values"], atol=CLOSE)


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
