"""The HTTP interface and the streams: right answers, clear refusals of everything else, and nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from unittest import mock

import hostile_inputs
import numpy as np
import pytest
import soundfile
from live_server import STREAM, children_of, clip_paths, fitted, is_running, kill, running, served, until

from ser_study.audio import reading

pytest.importorskip("starlette", reason="the extra 'live' is not installed")
from starlette.websockets import WebSocketDisconnect

from ser_study.live import logs, uploads, worker
from ser_study.live.limits import Limits, Places, Rate
from ser_study.live.pitch import VoicePitch
from ser_study.live.refusals import Refused
from ser_study.live.security import LOOPBACK, Access
from ser_study.live.serve import is_loopback, serve
from ser_study.live.sessions import Opening, Session
from ser_study.live.workers import PREFIX
from ser_study.recognizer import Recognizer
from ser_study.recognizer.files import predict_file

LIMITS = Limits(upload=2**21, duration=20.0, requests=10_000, deadline=20.0)
TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module", autouse=True)
def temporary(tmp_path_factory):
    """A folder for temporary files of these tests alone: other servers may run beside them."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    with mock.patch.dict(os.environ, TMPDIR=folder), mock.patch.object(tempfile, "tempdir", folder):
        yield


@pytest.fixture(scope="module")
def recogniser(small_study):
    return fitted(small_study)


@pytest.fixture(scope="module")
def paths(small_study):
    return clip_paths(small_study)


@pytest.fixture(scope="module")
def client(recogniser):
    with running(recogniser, limits=LIMITS) as one:
        yield one


def wav(samples, rate=16_000, **options) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="WAV", **options)
    return stream.getvalue()


def tone(seconds=1.0, rate=16_000):
    return 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("clip.wav", wav(tone()))
    return stream.getvalue()


def huge_header() -> bytes:
    """A wav of a second whose header claims 4 GB and 65,535 channels."""
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 2**32 - 1, b"WAVE", b"fmt ", 16, 1, 65_535, 48_000, 0, 0, 16)
    return head + struct.pack("<4sI", b"data", 2**32 - 9) + bytes(32_000)


def folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def left() -> list[Path]:
    return [path for folder in folders() for path in folder.glob("upload-*")]


# Right answers


def test_health_and_the_card(client, recogniser):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    model = client.get("/v1/model").json()
    assert model["classes"] == list(recogniser.classes)
    assert model["scores"]["uar"]["value"] == recogniser.card["scores"]["uar"]["value"]
    assert model["corpora"][0]["licence"]


def test_the_answer_is_that_of_the_recogniser(client, recogniser, paths):
    """A clip shorter than a window is one window, whole; as a form, as a body and whatever type is claimed."""
    path = next(path for path in paths if 1.0 < reading.header(path).n_samples / reading.header(path).sample_rate < 3.0)
    wanted = recogniser.predict([path]).iloc[0]
    content = path.read_bytes()
    answers = [
        client.post("/v1/predict", files={"file": ("../../etc/passwd", content, "text/plain")}),
        client.post("/v1/predict", content=content),
        client.post("/v1/predict", content=content, headers={"content-type": "application/json"}),
    ]
    for response in answers:
        assert response.status_code == 200, response.text
        answer = response.json()
        last = answer["channels"][0]["windows"][-1]
        for name in recogniser.classes:
            assert last["probabilities"][name] == pytest.approx(float(wanted[f"p_{name}"]), abs=1e-6)
        assert answer["model"]["classes"] == list(recogniser.classes)
        assert answer["duration"] == pytest.approx(reading.header(path).n_samples / 16_000, abs=0.01)
    assert not left()


def test_each_channel_has_its_own_timeline(client, paths):
    speech, rate = reading.read(paths[0])
    silent = np.zeros_like(speech)
    answer = client.post("/v1/predict", content=wav(np.hstack([speech, silent]), rate)).json()
    first, second = answer["channels"]
    assert first["emotion"] != "no speech"
    assert second["emotion"] == "no speech"
    assert second["confidence"] is None
    assert all(row["probabilities"] is None for row in second["windows"])


def test_every_sets_the_step_of_the_timeline(client, paths):
    content = wav(np.tile(reading.read(paths[0])[0], (3, 1)), 16_000)
    coarse, fine = (
        client.post(f"/v1/predict?every={every}", content=content).json()["channels"][0]["windows"]
        for every in (2, 0.5)
    )
    assert len(fine) > 2 * len(coarse)
    assert client.post("/v1/predict?every=0", content=content).status_code == 422
    assert client.post("/v1/predict?timeline=perhaps", content=content).status_code == 422
    short = paths[0].read_bytes()
    whole, alone = (client.post(f"/v1/predict?timeline={flag}", content=short).json() for flag in ("true", "false"))
    assert alone["channels"][0]["probabilities"] == whole["channels"][0]["probabilities"]
    assert alone["channels"][0]["windows"] == []


# Hostile uploads

HOSTILE = {
    "empty": (b"", 400),
    "text": (b"hello, I am no sound" * 9, 415),
    "zip": (zipped(), 415),
    "noise": (np.random.default_rng(0).bytes(5_000), 415),
    "truncated": (wav(tone())[:9_000], 422),
    "header alone": (wav(tone())[:44], 422),
    "huge header": (huge_header(), (415, 422)),
    "nan": (wav(np.full(16_000, np.nan), subtype="FLOAT"), 422),
    "infinite": (wav(np.append(tone(), np.inf), subtype="DOUBLE"), 422),
    "no samples": (wav(np.zeros(0)), 422),
    "too many bytes": (bytes(LIMITS.upload + 1), 413),
    "too long": (wav(np.zeros(round(LIMITS.duration + 1) * 16_000), subtype="PCM_U8"), 413),
}


@pytest.mark.parametrize("way", ["form", "body"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_uploads_are_refused_in_words(client, name, way):
    content, status = HOSTILE[name]
    if way == "form":
        response = client.post("/v1/predict", files={"file": ("../../../tmp/owned.wav", content, "audio/wav")})
    else:
        response = client.post("/v1/predict", content=content, headers={"content-type": "audio/wav"})
    assert response.status_code in (status if isinstance(status, tuple) else (status,)), response.text
    error = response.json()["error"]
    assert error["status"] == response.status_code
    assert len(error["message"]) > 20
    assert tempfile.gettempdir() not in error["message"]
    assert "upload-" not in error["message"]
    assert not left()
    assert not Path("/tmp/owned.wav").exists()


def test_forms_that_are_none(client):
    head = {"content-type": "multipart/form-data; boundary=b"}
    part = b'--b\r\ncontent-disposition: form-data; name="%s"\r\n\r\nhello\r\n'
    bodies = [b"", b"--b", b"--c--", part % b"file", part % b"other" + b"--b--\r\n", part % b"file" * 2 + b"--b--\r\n"]
    for body in bodies:
        response = client.post("/v1/predict", content=body, headers=head)
        assert response.status_code == 400, (body, response.text)
    response = client.post("/v1/predict", content=b"x", headers={"content-type": "multipart/form-data"})
    assert response.status_code == 400
    assert "boundary" in response.json()["error"]["message"]
    large = part % b"other" + b"x" * 200_000
    assert client.post("/v1/predict", content=large, headers=head).status_code == 400


def test_a_client_that_sends_slowly_is_turned_away(tmp_path):
    async def slow():
        yield b"RIFF"
        await asyncio.sleep(5)

    limits = dataclasses.replace(LIMITS, receive=0.05)
    with pytest.raises(Refused, match=r"within 0\.05 s") as error:
        asyncio.run(uploads.save(slow(), "audio/wav", "", tmp_path / "upload", limits))
    assert error.value.status == 408


def test_nothing_else_is_served(client):
    for path in ("/../pyproject.toml", "/%2e%2e/app.py", "/page/index.html", "/app.py", "/v1", "//etc/passwd"):
        response = client.get(path)
        assert response.status_code == 404, path
        assert response.json()["error"]["message"]
    assert client.get("/v1/predict").status_code == 405
    assert client.delete("/health").status_code == 405


# Who may talk to it


@pytest.mark.parametrize("path", ["/", "/health", "/v1/model", "/page.js", "/nowhere"])
def test_headers_of_every_response(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in headers["permissions-policy"]
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


def test_pages_of_other_sites_are_refused(client):
    for origin in (
        "http://evil.example",
        "http://127.0.0.1:9",
        "null",
        "http://127.0.0.1.evil.example",
        "http://[oops",
    ):
        response = client.post("/v1/predict", content=wav(tone()), headers={"origin": origin})
        assert response.status_code in (400, 403), origin
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers={"origin": origin}):
            pass
    with client.websocket_connect(STREAM, headers={"origin": "http://127.0.0.1"}) as stream:
        stream.send_json({"sample_rate": 16_000})
        assert stream.receive_json()["type"] == "ready"
    assert client.get("/health", headers={"host": "evil.example"}).status_code == 400


def test_the_token(recogniser):
    with running(recogniser, wait=False, limits=LIMITS, access=Access(TOKEN, frozenset())) as own:
        assert own.get("/v1/model", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert own.get("/health").status_code == 200
        for headers in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": TOKEN}, {"cookie": "a=\x01;;="}):
            response = own.get("/v1/model", headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert own.post("/v1/predict", content=wav(tone()), headers=headers).status_code == 401
            with pytest.raises(WebSocketDisconnect), own.websocket_connect(STREAM, headers=headers):
                pass
        assert own.get(f"/v1/model?token={TOKEN}").status_code == 401, "in the address of the page alone"
        assert own.get("/?token=wrong").status_code == 401
        response = own.get(f"/?token={TOKEN}", follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        assert "HttpOnly" in response.headers["set-cookie"]
        assert "SameSite=strict" in response.headers["set-cookie"]
        assert own.get("/v1/model").status_code == 200, "the cookie is sent now"


def test_beyond_this_machine_a_token_is_needed(recogniser):
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(ValueError, match="give a token"):
            serve(recogniser, host=host)
        assert not is_loopback(host)
    for token in ("short", "with spaces and such like", "ümläut-ümläut-ümläut"):
        with pytest.raises(ValueError, match="16 or more letters"):
            serve(recogniser, host="0.0.0.0", token=token)
    assert all(is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"))


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_refused(recogniser, port):
    with pytest.raises(ValueError, match=f"The port {port} is none"):
        serve(recogniser, port=port)


def test_an_error_that_nobody_expected_ends_neither_the_worker_nor_its_files(recogniser, paths, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "predict_file", mock.Mock(side_effect=RuntimeError("can't start new thread")))
    answer = worker._answer(recogniser, {"path": str(paths[0]), "options": {}}, 60.0)
    assert (answer["status"], answer["code"]) == (500, "error")
    assert "(RuntimeError); the server goes on" in answer["message"]
    facts = {"bundle": str(tmp_path / "none.npz"), "folder": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ser_study.live.worker"], input=json.dumps(facts), text=True, capture_output=True
    )
    assert done.returncode
    assert "none.npz" in done.stderr
    assert tmp_path.is_dir(), "the folder is that of the other workers, too"


# Limits


def test_rates_refill_and_are_forgotten():
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    for _ in range(60):
        rate.take("a")
    with pytest.raises(Refused, match="try again in 1 s"):
        rate.take("a")
    rate.take("b")
    now[0] = 2.0
    rate.take("a"), rate.take("a")
    with pytest.raises(Refused):
        rate.take("a")
    for number in range(10_050):
        rate.take(str(number))
    assert len(rate._buckets) <= 10_000


def test_places_are_given_back():
    places = Places(3, 2, "streams")
    with places.one("a"), places.one("a"):
        with pytest.raises(Refused, match="2 streams") as error:
            places.one("a").__enter__()
        assert error.value.status == 429
        with places.one("b"), pytest.raises(Refused) as error:
            places.one("c").__enter__()
        assert error.value.status == 503
    assert places.n_taken == 0


def test_too_many_requests_and_streams(recogniser):
    limits = dataclasses.replace(LIMITS, requests=3, streams=1)
    with running(recogniser, wait=False, limits=limits) as own, own.websocket_connect(STREAM) as first:
        first.send_json({"sample_rate": 16_000})
        assert first.receive_json()["type"] == "ready"
        assert own.get("/health").json()["streams"] == 1
        with own.websocket_connect(STREAM) as second:
            error = second.receive_json()
            assert (error["type"], error["status"]) == ("error", 503)
            with pytest.raises(WebSocketDisconnect) as closed:
                second.receive_json()
            assert closed.value.code == 1013
        assert own.post("/v1/predict", content=b"").status_code == 400
        response = own.post("/v1/predict", content=b"")
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1


def test_a_killed_worker_is_started_again(recogniser, paths):
    before = children_of()
    with running(recogniser, limits=LIMITS) as own:
        worker = (children_of() - before).pop()
        kill(worker)
        response = own.post("/v1/predict", content=paths[0].read_bytes())
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "worker_died"
        assert response.headers["retry-after"]
        assert not left()
        until(lambda: own.get("/health").json()["workers"] == 1)
        assert own.post("/v1/predict", content=paths[0].read_bytes()).status_code == 200
        assert worker not in children_of()
    assert children_of() <= before


def test_what_takes_too_long_or_too_much_memory_is_ended(recogniser, paths):
    with running(recogniser, limits=dataclasses.replace(LIMITS, deadline=0.01)) as own:
        speech = np.tile(reading.read(paths[0])[0][:, 0], 20)[
            : 18 * 16_000
        ]  # with a timeline, more than can be done so soon
        response = own.post("/v1/predict?every=0.25", content=wav(speech, 16_000))
        assert (response.status_code, response.json()["error"]["code"]) == (503, "too_slow")
        assert not left()
    with running(recogniser, limits=dataclasses.replace(LIMITS, memory=0)) as own:
        response = own.post("/v1/predict", content=wav(np.tile(tone(), 18), 16_000))
        assert response.status_code in (413, 422, 503), response.text
        assert own.get("/health").status_code == 200


def test_no_folder_is_left(recogniser):
    before = set(folders())
    with running(recogniser, wait=False, limits=LIMITS) as own:
        made = set(folders()) - before
        assert len(made) == 1
        assert made.pop().stat().st_mode & 0o077 == 0, "nobody else may read it"
        own.post("/v1/predict", content=b"no sound")
    assert set(folders()) == before


# Streams


def opened(client, **opening):
    return client.websocket_connect(STREAM), {"sample_rate": 16_000, **opening}


def streamed(stream, samples, opening, chunk=1_600):
    """All answers to samples in chunks."""
    stream.send_json(opening)
    for start in range(0, len(samples), chunk):
        stream.send_bytes(samples[start : start + chunk].tobytes())
    stream.send_json({"end": True})
    rows = []
    while not rows or rows[-1]["type"] not in ("end", "error"):
        rows.append(json.loads(stream.receive_text()))
    return rows


def test_the_answers_of_a_stream_are_those_of_the_recogniser(client, recogniser, paths):
    samples = reading.read(paths[0])[0][:, 0]
    connection, opening = opened(client)
    with connection as stream:
        rows = streamed(stream, samples, opening)
    assert rows[0] == {"type": "ready", "classes": list(recogniser.classes), "every": 0.5, "length": 3.0}
    last, end = rows[-2], rows[-1]
    assert end["type"] == "end"
    assert end["windows"] == len(rows) - 2
    heard = samples[round(last["start"] * 16_000) : round(last["end"] * 16_000)]
    wanted = recogniser.predict_samples(heard, 16_000).iloc[0]
    for name in recogniser.classes:
        assert last["probabilities"][name] == pytest.approx(float(wanted[f"p_{name}"]), abs=1e-6)


def test_whole_numbers_and_two_channels(client, paths):
    samples = reading.read(paths[0])[0][:, 0]
    both = np.stack([samples, np.zeros_like(samples)], axis=1)
    connection, opening = opened(client, channels=2, format="int16")
    with connection as stream:
        rows = streamed(stream, (32_767 * both).astype("<i2"), opening)
    channels = {row["channel"]: row["emotion"] for row in rows if row["type"] == "window"}
    assert channels[1] == "no speech"
    assert channels[0] != "no speech"


def test_two_sessions_do_not_mix(client, paths):
    """Two clips at once get the answers that each gets alone."""
    clips = [reading.read(path)[0][:, 0] for path in (paths[0], paths[-1])]

    def answers(samples):
        connection, opening = opened(client)
        with connection as stream:
            return [row for row in streamed(stream, samples, opening, chunk=len(samples)) if row["type"] == "window"]

    alone = [answers(samples) for samples in clips]
    together = [None, None]
    threads = [threading.Thread(target=lambda at=at: together.__setitem__(at, answers(clips[at]))) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
    assert alone[0][-1]["probabilities"] != alone[1][-1]["probabilities"]


OPENINGS = ["", "[]", "{}", "null", '{"sample_rate": "16000"}', '{"sample_rate": 16000.5}', '{"sample_rate": 10}']
OPENINGS += ['{"sample_rate": 16000, "channels": 3}', '{"sample_rate": 16000, "format": "mp3"}', "[" * 5_000]
OPENINGS += ['{"sample_rate": 16000, "format": []}', '{"sample_rate": true}', '{"sample_rate": 1e999}']


@pytest.mark.parametrize("text", OPENINGS, ids=range(len(OPENINGS)))
def test_an_opening_that_is_none_is_refused(client, text):
    with client.websocket_connect(STREAM) as stream:
        stream.send_text(text)
        error = stream.receive_json()
        assert (error["type"], error["status"]) == ("error", 422)
        assert len(error["message"]) > 20
        with pytest.raises(WebSocketDisconnect):
            stream.receive_json()


BAD = [b"abc", np.full(100, np.nan, "<f4").tobytes(), bytes(2**20 + 4), "hello", '{"end": 1}']


@pytest.mark.parametrize("message", BAD, ids=range(len(BAD)))
def test_messages_that_are_no_sound_are_refused(client, message):
    with client.websocket_connect(STREAM) as stream:
        stream.send_json({"sample_rate": 16_000})
        stream.receive_json()
        (stream.send_text if isinstance(message, str) else stream.send_bytes)(message)
        error = stream.receive_json()
        assert (error["type"], error["status"]) == ("error", 422)
    assert client.get("/health").status_code == 200


def test_an_idle_stream_is_closed(recogniser):
    with running(recogniser, wait=False, limits=dataclasses.replace(LIMITS, idle=0.3)) as own:
        with own.websocket_connect(STREAM) as stream:
            stream.send_json({"sample_rate": 16_000})
            assert stream.receive_json()["type"] == "ready"
            assert stream.receive_json()["status"] == 408
        until(lambda: own.get("/health").json()["streams"] == 0)


def test_who_lags_behind_gets_the_newest_window(recogniser, paths):
    """Five seconds at once are one window computed and the others counted, and nothing is kept of them."""
    session = Session(recogniser, Opening(16_000))
    speech = np.tile(reading.read(paths[0])[0], (9, 1))[:80_000].astype(np.float32)
    rows = session.push(speech)
    assert [row["end"] for row in rows] == [5.0]
    assert rows[0]["dropped"] == session.n_dropped == 9
    assert session.push(speech[:8_000])[0]["end"] == 5.5


def test_loud_samples_do_no_harm(recogniser):
    session = Session(recogniser, Opening(16_000))
    loud = np.full(16_000, np.finfo(np.float32).max, np.float32)
    rows = session.push(session.samples(loud.tobytes()))
    assert all(np.isfinite(row["level"]) for row in rows)


def test_access_of_this_machine_alone():
    access = Access()
    assert access.hosts == LOOPBACK
    for host in ("localhost:8765", "127.0.0.1", "[::1]:1", "LOCALHOST"):
        access.check("/", "", {"host": host})
    for host in ("", "localhost.evil.example", "127.0.0.1.nip.io", "[::2]"):
        with pytest.raises(Refused, match="This server is not"):
            access.check("/", "", {"host": host})


def test_sound_is_handed_over_when_a_window_is_complete(recogniser):
    session = Session(recogniser, Opening(11_025))
    ends = []
    for _ in range(5):
        assert session.push(np.zeros((session.n_wanted - 1, 1), np.float32)) == []
        assert session.n_wanted == 1
        rows = session.push(np.zeros((1, 1), np.float32))
        ends += [row["end"] for row in rows]
        assert session.push(np.zeros((1, 1), np.float32)) == []
    np.testing.assert_allclose(ends, [0.5, 1.0, 1.5, 2.0, 2.5], atol=1e-3)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize(("pitch", "gender"), [(110.0, "male"), (220.0, "female")])
def test_pitch_and_the_rough_guess(rate, pitch, gender):
    voice = VoicePitch(rate)
    assert voice.guess() == {"pitch": None, "gender": "unclear"}
    sound = hostile_inputs.voice(2.0, rate=rate, pitch=pitch).astype(np.float32)
    for start in range(0, len(sound), 777):
        voice.push(sound[start : start + 777])
    assert voice.guess()["pitch"] == pytest.approx(pitch, rel=0.01)
    assert voice.guess()["gender"] == gender
    silent = VoicePitch(rate)
    silent.push(np.zeros(rate, np.float32))
    assert silent.guess()["pitch"] is None


def test_a_killed_server_leaves_no_process_and_no_file(recogniser, tmp_path):
    bundle, before = recogniser.save(tmp_path / "small.npz"), set(folders())
    with served(bundle) as (address, process):
        assert address.startswith("http://127.0.0.1:")
        assert len(set(folders()) - before) == 1
        workers = children_of(process.pid)
        assert workers
        process.kill()
        until(lambda: set(folders()) == before, 20, "the worker removes the folder when its server is gone")
        until(lambda: not any(is_running(one) for one in workers), 20)


def test_an_interrupted_server_ends_well(recogniser, tmp_path):
    bundle, before = recogniser.save(tmp_path / "small.npz"), set(folders())
    with served(bundle) as (_, process):
        workers = children_of(process.pid)
    assert process.returncode in (0, -signal.SIGINT)
    assert set(folders()) == before
    assert not any(is_running(one) for one in workers)


def test_log_lines_are_json_without_traces_of_the_sound(client, paths):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Lines())
    logger = logging.getLogger(logs.NAME)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        client.post("/v1/predict", files={"file": ("secret-name.wav", paths[0].read_bytes())})
        client.post("/v1/predict", files={"file": ("secret-name.wav", b"secret words, no sound")})
    finally:
        logger.removeHandler(handler)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["predict", "refused"]
    assert lines[0]["sound_s"] > 0
    assert "secret" not in stream.getvalue()


@pytest.mark.corpus
def test_real_clips_get_the_answers_of_the_command_line(corpora_dir):
    """The recogniser that comes with the package, on some real clips, one of them as a stereo call with silence."""
    shipped = Recognizer.default("hand-crafted")
    paths = [next(corpora_dir.glob(f"ravdess/**/*-0{code}-01-01-01-0{code}.*")) for code in (3, 4, 5)]
    with running(shipped, limits=LIMITS) as own:
        for path in paths:
            wanted = predict_file(shipped, path)
            answer = own.post("/v1/predict", content=path.read_bytes()).json()
            assert [one["emotion"] for one in answer["channels"]] == [one.emotion for one in wanted.channels]
            assert answer["channels"][0]["confidence"] == pytest.approx(wanted.channels[0].confidence, abs=1e-6)
            assert len(answer["channels"][0]["windows"]) == len(wanted.channels[0].timeline)
            assert set(answer["warnings"]) <= set(wanted.warnings)
