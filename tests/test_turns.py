"""Chapters side by side: which wait for which, that two run at once, and what ends with the run."""

from __future__ import annotations

import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from hostile_runs import in_process
from report_sample import SETUP, notebook, project

from ser_study.config import load
from ser_study.report import runner, turns
from ser_study.report.chapters import Chapter, chapters
from ser_study.report.side_by_side import side_by_side

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE = 60  # s


def until(condition, patience: float = PATIENCE) -> bool:
    """Wait for a condition; whether it came."""
    end = time.monotonic() + patience
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return holds


def meet(number: int, folder: Path) -> int:
    """Leave a file and wait for the other one's: what runs alone never ends well."""
    (folder / str(number)).write_text(str(os.getpid()))
    if not until((folder / str(3 - number)).is_file):
        raise ValueError(f"{number} was alone.")
    return number * 10


def sleep(number: int, folder: Path) -> None:
    (folder / str(number)).write_text(str(os.getpid()))
    time.sleep(10 * PATIENCE)


def die_on_two(number: int) -> int:
    return os._exit(9) if number == 2 else number


def refuse_two(number: int) -> int:
    if number == 2:
        raise OSError("The disk is full.")
    return number


def sleep_side_by_side(folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    list(side_by_side(partial(sleep, folder=folder), [1, 2], at_once=2, begun=str))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_what_measures_times_runs_alone_and_what_reads_results_comes_after_them():
    story = chapters(PROJECT / "notebooks", ["emodb", "tess"])
    groups = [[chapter.page for chapter in stage] for stage in turns.stages(story)]
    assert sorted(sum(groups, [])) == sorted(chapter.page for chapter in story)
    place = {page: at for at, stage in enumerate(groups) for page in stage}
    assert groups[0] == ["01_corpus_emodb", "01_corpus_tess"]
    assert groups[1] == ["02_feature_extraction"]
    assert place["03_splits_and_leakage"] == place["04_traditional_ml"] == place["08_baselines"]
    assert place["04_traditional_ml"] < place["06_voting"] == place["06b_systems"]
    assert groups[-3:] == [["07_post_model_testing"], ["10_methods"], ["09_findings"]]  # the first measures times
    assert turns.stages([]) == []


def test_a_new_notebook_runs_beside_the_others():
    new = Chapter(Path("07_new.ipynb"))
    assert turns.stages([new, Chapter(Path("03_x.ipynb"))]) == [[new, Chapter(Path("03_x.ipynb"))]]


def test_two_run_at_once_and_begin_in_order(tmp_path):
    begun = []
    results = side_by_side(partial(meet, folder=tmp_path), [1, 2], at_once=2, begun=begun.append)
    assert sorted(results) == [(1, 10), (2, 20)]
    assert begun == [1, 2]
    assert len({(tmp_path / name).read_text() for name in ("1", "2")} - {str(os.getpid())}) == 2


def test_one_at_a_time_runs_here():
    begun = []
    for item, value in side_by_side(lambda item: (os.getpid(), list(begun)), [1, 2], at_once=1, begun=begun.append):
        assert value == (os.getpid(), list(range(1, item + 1)))
    assert begun == [1, 2]


def read_variable(name: str) -> str | None:
    return os.environ.get(name)


def test_each_process_has_the_environment_of_its_own_time(monkeypatch):
    for value in ("first", "second"):
        monkeypatch.setenv("SER_STUDY_TURN", value)
        answers = side_by_side(read_variable, ["SER_STUDY_TURN", "SER_STUDY_NONE"], at_once=2, begun=str)
        assert dict(answers) == {"SER_STUDY_TURN": value, "SER_STUDY_NONE": None}


def test_an_error_comes_back_as_it_was_and_a_death_says_what_to_do():
    with pytest.raises(OSError, match="The disk is full"):
        list(side_by_side(refuse_two, [1, 2, 3], at_once=2, begun=str))
    with pytest.raises(RuntimeError, match="--jobs 1"):
        list(side_by_side(die_on_two, [1, 2, 3], at_once=2, begun=str))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_runs_side_by_side_ends_with_the_run(tmp_path, number):
    parent = in_process(sleep_side_by_side, tmp_path)
    assert until(lambda: all((tmp_path / name).is_file() for name in ("1", "2")))
    children = [int((tmp_path / name).read_text()) for name in ("1", "2")]
    assert all(map(is_alive, children))
    os.kill(parent.pid, number)
    parent.join(PATIENCE)
    assert parent.exitcode
    assert until(lambda: not any(map(is_alive, children)), 20)


def test_notebooks_run_side_by_side_in_one_study(tmp_path, monkeypatch, capsys):
    meeting = "from test_turns import meet\nfrom pathlib import Path\nmeet(%d, Path(study.store.run))"
    cells = {f"n{which}_x": notebook(f"# {which}", SETUP, meeting % at) for at, which in ((1, "03"), (2, "04"))}
    store = project(tmp_path / "study", **cells, n05_x=notebook("# Bad", SETUP, "raise ValueError('No.')"))
    store.run.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT / "src"), str(PROJECT / "tests")]))
    monkeypatch.chdir(store.project)
    assert runner.run_study(load("demo", {"run.jobs": 2}), store, corpora=["synthetic"]) == 1
    facts = json.loads((store.run / "run.json").read_text(encoding="utf-8"))["chapters"]
    assert {page: one["status"] for page, one in facts.items()} == {"03_x": "done", "04_x": "done", "05_x": "failed"}
    printed = capsys.readouterr()
    assert printed.out.count("begins") == 3
    assert "[3/3] " in printed.out
    assert "05_x" in printed.out.split("FAILED after")[0].splitlines()[-1]
    assert "ValueError: No." in printed.err


def test_on_a_terminal_a_line_moves_and_leaves_nothing(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with turns.Progress(12) as progress:
        progress.began("03_x", " (about 2 min 00 s)")
        assert until(lambda: "03_x" in capsys.readouterr().out)
        progress.ended("03_x", "done in 1 s")
    shown = capsys.readouterr().out
    assert " [1/12] 03_x" in shown
    assert shown.endswith("\r\x1b[K")
