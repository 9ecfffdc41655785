"""The command line: clear messages, exit codes, and that run_all.py works without being installed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from report_sample import PARAMETERS, notebook, project

from ser_study import cli

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project with two notebooks and no data, and the current folder in it."""
    with_corpus = notebook("# A", parameters=f"{PARAMETERS}\ncorpus = ''")
    store = project(tmp_path, n01_corpus=with_corpus, n09_findings=notebook("# B"))
    for name in ("SER_STUDY_DATA", "SER_STUDY_DERIVED", "SER_STUDY_REPORTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return store


def test_list_and_dry_run_execute_nothing(study, capsys):
    assert cli.run_all(["--list"]) == 0
    assert "No recordings found: preset demo" in capsys.readouterr().out
    assert cli.main(["run", "--preset", "demo", "--list", "--from", "09"]) == 0
    assert capsys.readouterr().out.split() == ["09_findings"]
    assert cli.run_all(["--dry-run", "--preset", "demo"]) == 0
    assert "01_corpus_synthetic" in (printed := capsys.readouterr().out)
    assert "to run" in printed
    assert not study.run.exists()
    assert not study.derived.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "fll"], "did you mean 'full'"),
        (["--data", "nowhere"], "'nowhere' is not there"),
        (["--preset", "demo", "--set", "audio.sample_rat=1"], "did you mean 'audio.sample_rate'"),
        (["--preset", "demo", "--set", "audio.sample_rate=high"], "takes int, found 'high'"),
        (["--preset", "demo", "--set", "seed"], "--set takes name=value"),
        (["--preset", "demo", "--only", "12"], "No notebook '12'"),
        (["--preset", "demo", "--from", "models"], "No notebook 'models'"),
        (["--preset", "demo", "--config", "none.toml"], "No settings file"),
        (["--preset", "demo", "--corpora", "ravdes"], "did you mean 'ravdess'"),
        (["--preset", "demo", "--corpora", "tess"], "No audio of tess"),
        (["--preset", "demo", "--jobs", "-1", "--dry-run"], "number of jobs is -1"),
    ],
)
def test_a_wrong_question_is_answered_clearly(study, capsys, arguments, words):
    assert cli.run_all(arguments) == 2
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message
    assert message.startswith("run_all.py: ")


def test_wrong_toml_says_where(study, capsys):
    Path("wrong.toml").write_text("[audio\nsample_rate = 1")
    assert cli.run_all(["--preset", "demo", "--config", "wrong.toml"]) == 2
    assert "not valid TOML" in (printed := capsys.readouterr().err)
    assert "line 1" in printed


def test_unknown_option_is_usage():
    with pytest.raises(SystemExit) as stop:
        cli.run_all(["--presets"])
    assert stop.value.code == 2


def test_options_become_settings(study, monkeypatch):
    Path("my.toml").write_text("[audio]\nsample_rate = 22050\n[ladder]\ndraws = 2\n")
    words = [
        "--config",
        "my.toml",
        "--set",
        "audio.sample_rate=8000",
        "--corpora",
        "emodb,tess",
        "--jobs",
        "3",
        "--force",
    ]
    seen = {}
    monkeypatch.setattr(cli.study, "run", lambda given: seen.update(cli.study.overrides_of(given)) or 0)
    assert cli.run_all(words) == 0
    assert 0 <= time.time() - seen.pop("run.started") < 60
    assert seen == {
        "audio.sample_rate": "8000",
        "ladder.draws": 2,
        "corpora": "emodb,tess",
        "run.jobs": 3,
        "run.force": True,
    }


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 1, "Stopped."),
        (ConnectionError("No scheduler answers"), 1, "No scheduler answers"),
        (OSError(28, "Could not write x.csv: no space"), 1, "Could not write x.csv"),
        (ModuleNotFoundError("…", name="papermill"), 1, "'papermill' is missing"),
        (ValueError("wrong"), 2, "wrong"),
    ],
)
def test_errors_on_the_way_are_one_message(study, capsys, monkeypatch, error, code, words):
    def fail(options):
        raise error

    monkeypatch.setattr(cli.data, "list_corpora", fail)
    assert cli.main(["corpora"]) == code
    assert words in (printed := capsys.readouterr().err)
    assert "Traceback" not in printed


def test_corpora_lists_what_is_known(study, capsys):
    assert cli.main(["corpora"]) == 0
    printed = capsys.readouterr().out
    assert "ravdess" in printed
    assert "absent" in printed
    assert "built in" in printed


def test_run_all_works_from_anywhere_without_installation(tmp_path):
    done = subprocess.run(
        [sys.executable, PROJECT / "run_all.py", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={},
        check=False,
    )
    assert done.returncode == 0
    assert "--dry-run" in done.stdout


def test_missing_library_is_named(tmp_path):
    command = [sys.executable, "-S", PROJECT / "run_all.py", "--list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={}, check=False)
    assert done.returncode in (1, 2)
    assert "is missing" in done.stderr
    assert "requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_all_is_short():
    assert len((PROJECT / "run_all.py").read_text(encoding="utf-8").splitlines()) <= 60
