"""Downloads against a local server: whole, cut, wrong, missing, full disk; and what the package says it fetches."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest

from ser_study import download
from ser_study.download import Corpus, Source, transfer

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 72862\n"


@dataclass
class Web:
    """What the local server answers: path → body, and how it misbehaves."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)  # bytes after which the first answer ends
    hold: float = 0.0  # s the cut connection stays open
    ranges: bool = True
    requested: list[tuple[str, str]] = field(default_factory=list)  # path, Range
    url: str = ""


@pytest.fixture
def web(monkeypatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.split("?")[0]
            site.requested.append((path, self.headers.get("Range", "")))
            if path in site.status or path not in site.bodies:
                self.send_error(site.status.get(path, 404))
                return
            body, start = site.bodies[path], 0
            if site.ranges and "Range" in self.headers:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(body) > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may be killed
                self.wfile.write(body[start : site.cut.get(path, len(body))])
                self.wfile.flush()
                if path in site.cut:
                    time.sleep(site.hold)
            site.cut.pop(path, None)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def noise(n: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(n)


def sha256(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def corpus(*sources: Source, name: str = "toy") -> dict[str, Corpus]:
    return {name: Corpus(name, "A toy", "CC0", "Nobody 2026", "http://page.example", "toy/wav", sources=sources)}


def fetch(catalogue: dict[str, Corpus], raw: Path, said: list[str] | None = None, **options) -> dict[str, str]:
    say = [].append if said is None else said.append
    options = {"attempts": 1} | options
    return download.download(catalogue, raw, sources=catalogue, progress=False, say=say, **options)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def speech(web) -> tuple[dict[str, Corpus], dict[str, bytes]]:
    """A catalogue of one archive, as RAVDESS comes, and what it must become."""
    members = {f"Actor_0{k}/03-01-0{k}.wav": noise(200_000, k) for k in (1, 2)}
    body = zipped(members)
    web.bodies["/speech.zip"] = body
    source = Source("archive", "toy/speech", (f"{web.url}/speech.zip?download=1",), sha256(body), len(body), 400_000)
    return corpus(source), {f"toy/speech/{name}": member for name, member in members.items()}


def test_whole(web, speech, tmp_path):
    catalogue, expected = speech
    said = []
    assert fetch(catalogue, tmp_path / "raw", said) == {"toy": "fetched"}
    assert tree(tmp_path) == {f"raw/{name}": body for name, body in expected.items()}
    assert "CC0" in said[0]
    assert "Nobody 2026" in said[0]
    assert fetch(catalogue, tmp_path / "raw") == {"toy": "already there"}
    assert len(web.requested) == 1


def test_licence_comes_before_the_first_byte(web, speech, tmp_path):
    notices = []
    accept = lambda notice: notices.append((notice, list(web.requested))) or False  # noqa: E731
    assert fetch(speech[0], tmp_path, accept=accept) == {"toy": "declined"}
    assert "CC0" in notices[0][0]
    assert notices[0][1] == []
    assert web.requested == []
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("ranges", [True, False])
def test_cut_then_continued(web, speech, tmp_path, ranges):
    catalogue, expected = speech
    web.cut["/speech.zip"], web.ranges = 262_144, ranges
    with pytest.raises(ConnectionError, match=r"cut before the end \(\d+ bytes are kept\)") as caught:
        fetch(catalogue, tmp_path)
    assert web.url in str(caught.value)
    assert "Run the same command again" in str(caught.value)
    part = tmp_path / ".download/toy/speech.zip.part"
    size = part.stat().st_size
    assert 0 < size <= 262_144
    assert not (tmp_path / "toy").exists()
    assert fetch(catalogue, tmp_path) == {"toy": "fetched"}
    assert web.requested[1] == ("/speech.zip", f"bytes={size}-")
    assert tree(tmp_path) == expected


def test_cut_is_continued_within_one_call(web, speech, tmp_path):
    web.cut["/speech.zip"] = 131_072
    assert fetch(speech[0], tmp_path, attempts=2) == {"toy": "fetched"}
    assert tree(tmp_path) == speech[1]
    assert web.requested[1][1].startswith("bytes=")


def test_partial_file_longer_than_the_file(web, speech, tmp_path):
    part = tmp_path / ".download/toy/speech.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(noise(len(web.bodies["/speech.zip"]) + 10))
    assert fetch(speech[0], tmp_path, attempts=2) == {"toy": "fetched"}
    assert tree(tmp_path) == speech[1]


def test_killed_then_continued(web, speech, tmp_path):
    catalogue, expected = speech
    web.cut["/speech.zip"], web.hold = 262_144, 3.0
    code = (
        "import sys; from pathlib import Path; from ser_study import download as d\n"
        "s = d.Source('archive', 'toy/speech', (sys.argv[1],), sys.argv[2], int(sys.argv[3]))\n"
        "d.download(['toy'], Path(sys.argv[4]), sources={'toy': d.Corpus('toy', *'abcde', sources=(s,))})"
    )
    source = catalogue["toy"].sources[0]
    arguments = [source.urls[0], source.checksum, str(source.size), str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    part = tmp_path / ".download/toy/speech.zip.part"
    deadline = time.monotonic() + 20
    while not (part.is_file() and part.stat().st_size >= 65_536) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert list(tree(tmp_path))
    assert not (tmp_path / "toy").exists()
    web.cut.clear()
    assert fetch(catalogue, tmp_path) == {"toy": "fetched"}
    assert web.requested[-1][1].startswith("bytes=")
    assert tree(tmp_path) == expected


def test_wrong_content_is_removed(web, speech, tmp_path):
    right = web.bodies["/speech.zip"]
    wrong = web.bodies["/speech.zip"] = right[:-1] + b"x"
    with pytest.raises(ValueError, match="another file than was published") as caught:
        fetch(speech[0], tmp_path)
    assert sha256(right) in str(caught.value)
    assert sha256(wrong).split(":")[1] in str(caught.value)
    assert tree(tmp_path) == {}
    web.bodies["/speech.zip"] = right
    assert fetch(speech[0], tmp_path) == {"toy": "fetched"}


def test_server_down(speech, tmp_path):
    dead = replace(speech[0]["toy"].sources[0], urls=("http://127.0.0.1:9/speech.zip",))
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9/speech\.zip: no connection") as caught:
        fetch(corpus(dead), tmp_path)
    assert "By hand: http://page.example (toy/wav)" in str(caught.value)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("status", "n_requests", "words"), [(404, 1, "404 Not Found, the file has moved"), (503, 2, "503")]
)
def test_refusals(web, speech, tmp_path, status, n_requests, words):
    web.status["/speech.zip"] = status
    with pytest.raises(ConnectionError, match=words):
        fetch(speech[0], tmp_path, attempts=2)
    assert len(web.requested) == n_requests
    assert tree(tmp_path) == {}


def test_too_little_space_is_seen_beforehand(web, speech, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_free", lambda folder: 500_000)
    with pytest.raises(OSError, match=r"0\.8 MB are needed, 0\.5 MB are free") as caught:
        fetch(speech[0], tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert web.requested == []


def test_disk_full_while_writing(web, speech, tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file, self.left = file, 2

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.file.close()

        def write(self, chunk):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(chunk)

    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode="r", *a, **k: (Full if mode in ("ab", "wb") else lambda f: f)(opened(path, mode)),
    )
    with pytest.raises(OSError, match=r"is full: 0\.8 MB are needed, [\d.]+ MB are free.*continues") as caught:
        fetch(speech[0], tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert {path for path in tree(tmp_path) if not path.endswith("lock")} == {".download/toy/speech.zip.part"}
    monkeypatch.undo()
    assert fetch(speech[0], tmp_path) == {"toy": "fetched"}
    assert tree(tmp_path) == speech[1]
    assert web.requested[-1][1] == "bytes=131072-"


def test_quota_of_the_system(web, speech, tmp_path):
    """A real refusal by the kernel, not an injected one."""
    source = speech[0]["toy"].sources[0]
    code = (
        "import resource, sys; from pathlib import Path; from ser_study import download as d\n"
        "import pooch, requests, tqdm, filelock\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "s = d.Source('archive', 'toy/speech', (sys.argv[1],), sys.argv[2], int(sys.argv[3]))\n"
        "try: d.download(['toy'], Path(sys.argv[4]), sources={'toy': d.Corpus('toy', *'abcde', sources=(s,))})\n"
        "except OSError as error: print(error.errno, error)"
    )
    arguments = [source.urls[0], source.checksum, str(source.size), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert f"{errno.EFBIG} [Errno {errno.EFBIG}] The disk (or the quota)" in done.stdout
    assert not (tmp_path / "toy").exists()
    assert (tmp_path / ".download/toy/speech.zip.part").stat().st_size == 100_000


@pytest.mark.parametrize("after", [True, False])
def test_interrupted_unpacking(web, speech, tmp_path, monkeypatch, after):
    unzip = pooch.Unzip._extract_file

    def stop(self, archive, folder):
        if after:
            unzip(self, archive, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.Unzip, "_extract_file", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch(speech[0], tmp_path)
    assert not (tmp_path / "toy/speech").exists()
    monkeypatch.undo()
    leftover = tmp_path / ".download/toy/speech.unpacking/Actor_01/half.wav"  # as kill -9 leaves it
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    assert fetch(speech[0], tmp_path) == {"toy": "fetched"}
    assert len(web.requested) == 1
    assert tree(tmp_path) == speech[1]


def test_inner_folder_and_file_of_an_archive(web, tmp_path):
    clips = {"emodb/wav/03a01Fa.wav": noise(500, 1), "emodb/db.yaml": b"x"}
    votes = "Satz erkannt\n03a01Fa.wav 90,00\n".encode("latin-1")
    web.bodies = {"/emodb.zip": zipped(clips), "/old.zip": zipped({"erkennung.txt": votes, "wav/a.wav": b"a"})}
    sources = (
        Source("archive", "toy/wav", (f"{web.url}/emodb.zip",), sha256(web.bodies["/emodb.zip"]), inner="emodb/wav"),
        Source("archive", "toy/erkennung.txt", (f"{web.url}/old.zip",), inner="erkennung.txt"),
    )
    sources = (sources[0], replace(sources[1], inner_checksum=sha256(votes), optional="the votes"))
    assert fetch(corpus(*sources), tmp_path) == {"toy": "fetched"}
    assert tree(tmp_path) == {"toy/wav/03a01Fa.wav": clips["emodb/wav/03a01Fa.wav"], "toy/erkennung.txt": votes}


@pytest.mark.parametrize("body", [zipped({"erkennung.txt": b"changed"}), zipped({"a": b"b"}), b"<html>moved</html>"])
def test_side_file_that_cannot_be_had(web, tmp_path, body):
    web.bodies["/old.zip"] = body
    source = Source(
        "archive", "toy/erkennung.txt", (f"{web.url}/old.zip",), inner="erkennung.txt", optional="the votes"
    )
    said = []
    assert fetch(corpus(replace(source, inner_checksum=sha256(b"right"))), tmp_path, said) == {"toy": "incomplete"}
    assert "Going on without toy/erkennung.txt (the votes)" in said[-1]
    assert "By hand" in said[-1]
    assert tree(tmp_path) == {}


@pytest.fixture
def clips(web, tmp_path) -> tuple[dict[str, Corpus], dict[str, bytes]]:
    """A catalogue as CREMA-D comes: file by file, from two addresses."""
    bodies = {f"10{k:02d}_DFA_ANG_XX.wav": noise(3000 + k, k) for k in range(12)}
    table = tmp_path / "registry.txt"
    lines = [f"{name} {hashlib.sha256(body).hexdigest()} {len(body)}" for name, body in bodies.items()]
    table.write_text("\n".join(["# where from", *lines]) + "\n")
    web.bodies |= {f"/{site}/{name}": body for site in ("main", "mirror") for name, body in bodies.items()}
    other = web.url.replace("127.0.0.1", "localhost")  # another host, the same server
    source = Source("registry", "toy/AudioWAV", (f"{web.url}/main/", f"{other}/mirror/"), registry=str(table))
    return corpus(source), {f"toy/AudioWAV/{name}": body for name, body in bodies.items()}


@pytest.mark.parametrize("connections", [1, 4])
def test_many_files(web, clips, tmp_path, connections):
    raw = tmp_path / "raw"
    assert fetch(clips[0], raw, connections=connections) == {"toy": "fetched"}
    assert tree(raw) == clips[1]
    assert {path.split("/")[1] for path, _ in web.requested} == {"main"}
    assert fetch(clips[0], raw) == {"toy": "already there"}
    assert len(web.requested) == 12


@pytest.mark.parametrize("trouble", ["pointer", "quota", "wrong"])
def test_second_address_where_the_first_fails(web, clips, tmp_path, trouble):
    for path in list(web.bodies):
        if path.startswith("/main/"):
            web.bodies[path] = POINTER if trouble == "pointer" else noise(10)
            web.status |= {path: 403} if trouble == "quota" else {}
    said = []
    assert fetch(clips[0], tmp_path / "raw", said, connections=1) == {"toy": "fetched"}
    assert tree(tmp_path / "raw") == clips[1]
    words = {"pointer": "Git LFS pointer, not audio", "quota": "quota used up", "wrong": "another file"}[trouble]
    lines = [line for line in said if "Trying localhost" in line]
    assert len(lines) == 1
    assert words in lines[0]
    assert sum(path.startswith("/main/") for path, _ in web.requested) == 1  # then the mirror comes first


def test_all_addresses_fail(web, clips, tmp_path):
    raw = tmp_path / "raw"
    last = list(clips[1])[-1].rsplit("/", 1)[1]
    web.status |= {f"/main/{last}": 404}
    web.bodies[f"/mirror/{last}"] = POINTER
    with pytest.raises(ConnectionError, match="404 Not Found") as caught:
        fetch(clips[0], raw, connections=1)
    assert "Git LFS pointer" in str(caught.value)
    assert not (raw / "toy").exists()
    web.status.clear()
    before = len(web.requested)
    assert fetch(clips[0], raw, connections=1) == {"toy": "fetched"}
    assert len(web.requested) == before + 1
    assert tree(raw) == clips[1]


def test_what_is_there_is_kept(web, clips, tmp_path):
    """Other formats and sub-folders count as present; pointers are replaced; a changed file stops the download."""
    folder = tmp_path / "raw/toy/AudioWAV"
    (folder / "sub").mkdir(parents=True)
    names = [name.rsplit("/", 1)[1] for name in clips[1]]
    (folder / names[0].replace(".wav", ".ogg")).write_bytes(b"ogg")
    (folder / "sub" / names[1]).write_bytes(clips[1][f"toy/AudioWAV/{names[1]}"])
    (folder / names[2]).write_bytes(POINTER)
    (folder / names[3]).write_bytes(b"mine")
    with pytest.raises(ValueError, match=rf"{names[3]} is not the published file: expected sha256:\w+, found \w+"):
        fetch(clips[0], tmp_path / "raw")
    assert (folder / names[3]).read_bytes() == b"mine"
    assert web.requested == []
    (folder / names[3]).unlink()
    assert fetch(clips[0], tmp_path / "raw") == {"toy": "fetched"}
    assert not (folder / names[0]).exists()
    assert not (folder / names[1]).exists()
    assert len(web.requested) == 10
    assert (folder / names[2]).read_bytes() == clips[1][f"toy/AudioWAV/{names[2]}"]


def test_dataverse_record(web, tmp_path, monkeypatch):
    bodies = {
        "OAF_back_angry.wav": noise(900, 1),
        "YAF_road_ps.wav": noise(800, 2),
        "OA_bite_neutral.wav": noise(70, 3),
    }
    rows = [
        {"dataFile": {"id": k, "filename": name, "md5": hashlib.md5(body).hexdigest(), "filesize": len(body)}}
        for k, (name, body) in enumerate(bodies.items())
    ]
    rows.append({"dataFile": {"id": 99, "filename": "readme.txt", "md5": "0" * 32, "filesize": 1}})
    record = {"data": {"latestVersion": {"files": rows}}}
    web.bodies = {f"/api/access/datafile/{k}": body for k, body in enumerate(bodies.values())}
    monkeypatch.setattr(pooch.downloaders, "doi_to_url", lambda doi, **options: f"{web.url}/dataset.xhtml?id=doi:{doi}")
    catalogue = corpus(Source("dataverse", "tess", ("doi:10.5683/SP2/E8H2MF",)))
    with pytest.raises(ConnectionError, match=r"list of files of doi:10\.5683/SP2/E8H2MF could not be read.*404"):
        fetch(catalogue, tmp_path)
    web.bodies["/api/datasets/:persistentId/"] = json.dumps(record).encode()
    assert fetch(catalogue, tmp_path) == {"toy": "fetched"}
    assert tree(tmp_path) == {
        "tess/OAF_angry/OAF_back_angry.wav": bodies["OAF_back_angry.wav"],
        "tess/YAF_ps/YAF_road_ps.wav": bodies["YAF_road_ps.wav"],
        "tess/OA_neutral/OA_bite_neutral.wav": bodies["OA_bite_neutral.wav"],
    }


@pytest.mark.parametrize("answer", [b"not json", b'{"data": 3}', b'{"data": {"latestVersion": {"files": []}}}'])
def test_dataverse_answer_of_another_form(web, tmp_path, monkeypatch, answer):
    web.bodies["/api/datasets/:persistentId/"] = answer
    monkeypatch.setattr(pooch.downloaders, "doi_to_url", lambda doi, **options: web.url)
    with pytest.raises(ConnectionError, match=r"10\.5683"):
        fetch(corpus(Source("dataverse", "tess", ("doi:10.5683/SP2/E8H2MF",))), tmp_path)


def test_zenodo_doi(web, speech, tmp_path, monkeypatch):
    monkeypatch.setattr(pooch.downloaders, "doi_to_url", lambda doi, **options: "https://zenodo.org/records/1188976")
    monkeypatch.setattr(pooch.downloaders.ZenodoRepository, "base_api_url", f"{web.url}/api/records")
    listed = {"files": [{"key": "speech.zip", "links": {"self": f"{web.url}/speech.zip"}, "checksum": "md5:0"}]}
    web.bodies["/api/records/1188976"] = json.dumps(listed).encode()
    source = replace(speech[0]["toy"].sources[0], urls=(f"{web.url}/gone.zip", "doi:10.5281/zenodo.1188976/speech.zip"))
    assert fetch(corpus(source), tmp_path) == {"toy": "fetched"}
    assert tree(tmp_path) == speech[1]
    lost = replace(source, target="toy/other", urls=("doi:10.5281/zenodo.1188976/nothing.zip",))
    with pytest.raises(ConnectionError, match=r"nothing\.zip could not be resolved"):
        fetch(corpus(lost), tmp_path)


def test_two_downloads_at_once(web, speech, tmp_path):
    web.cut["/speech.zip"], web.hold = 65_536, 1.0
    first = threading.Thread(target=lambda: fetch(speech[0], tmp_path, attempts=2))
    first.start()
    while not web.requested:
        time.sleep(0.01)
    with pytest.raises(OSError, match="Another download is writing"):
        fetch(speech[0], tmp_path)
    first.join()
    assert tree(tmp_path) == speech[1]


def test_raw_folder_that_is_a_file(speech, tmp_path):
    (tmp_path / "raw").write_text("")
    with pytest.raises(OSError, match=r"Cannot write below .*raw"):
        fetch(speech[0], tmp_path / "raw")


def test_unknown_name():
    with pytest.raises(ValueError, match=r"Unknown corpus 'ravdes', did you mean 'ravdess'.*crema_d"):
        download.download(["tess", "ravdes"], Path("nowhere"))
    with pytest.raises(ValueError, match="Unknown corpus"):
        download.instructions("nothing")


@pytest.mark.parametrize("name", ["savee", "iemocap", "jl"])
def test_corpora_that_people_must_ask_for(name, tmp_path):
    said = []
    assert download.download([name], tmp_path / "raw", say=said.append) == {name: "by hand"}
    assert "cannot be fetched by a program" in said[-1]
    assert "http" in said[-1]
    assert f"{name}/" in said[-1]
    assert not (tmp_path / "raw").exists()
    assert "get it:" in download.instructions(name)


@pytest.mark.parametrize("name", download.AVAILABLE)
def test_catalogue(name, tmp_path):
    known = download.AVAILABLE[name]
    assert all((known.title, known.licence, known.citation, known.layout, known.page.startswith("http")))
    assert bool(known.sources) != bool(known.by_hand)
    for source in known.sources:
        assert source.kind in ("file", "archive", "registry", "dataverse")
        assert source.target.split("/")[0] == name
        assert source.urls
        assert all(url.startswith(("https://", "doi:10.", "http://emodb")) for url in source.urls)
        sum_known = source.checksum or source.inner_checksum or source.registry or source.kind == "dataverse"
        assert sum_known
        assert all(text.split(":")[0] in ("md5", "sha256") for text in [source.checksum] if text)


def test_registry_of_crema_d(tmp_path):
    items = transfer.items_of(download.AVAILABLE["crema_d"].sources[0], tmp_path)
    assert len(items) == len({item.path for item in items}) == 7442
    assert sum(item.size for item in items) == 605_899_936
    assert items[0].path.name == "1001_DFA_ANG_XX.wav"
    assert items[0].size == 72_862
    assert items[0].checksum == "sha256:c6f94b2592487c7556bd86df7df6e8f4420d1b9c11414aeec9d8e5e640b51495"
    assert {len(item.checksum) for item in items} == {71}
    assert {len(item.urls) for item in items} == {2}


@pytest.mark.corpus
def test_registry_names_the_real_clips(corpora_dir, tmp_path):
    folder = corpora_dir / "crema_d/AudioWAV"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    items = transfer.items_of(download.AVAILABLE["crema_d"].sources[0], tmp_path)
    assert {item.path.stem for item in items} == {path.stem for path in folder.iterdir()}


@pytest.mark.corpus
def test_sums_of_side_files(corpora_dir):
    checked = 0
    for known in download.AVAILABLE.values():
        for source in known.sources:
            expected, path = source.inner_checksum or source.checksum, corpora_dir / source.target
            if path.is_file():
                assert sha256(path.read_bytes()) == expected
                checked += 1
    if not checked:
        pytest.skip(f"no side files in {corpora_dir}")


def test_import_is_light():
    code = (
        "import sys, ser_study.download; print([m for m in ('pooch', 'requests', 'tqdm', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
