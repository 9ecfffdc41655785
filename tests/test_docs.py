"""The README says what is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ser_study import corpora, features
from ser_study.recognizer import bundle, shipped
from ser_study.report import appendix, chapters, links, references
from ser_study.wording import share, word

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PUBLISHED = PROJECT / "reports" / "full" / "tables"


def command(name: str) -> str:
    return re.search(rf"<!-- command: {name} -->\n```bash\n(.*?)```", README, flags=re.DOTALL)[1]


def test_options_of_run_all_and_readme_agree():
    done = subprocess.run([sys.executable, "run_all.py", "--help"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0
    offered = set(re.findall(r"--[a-z][a-z-]+", done.stdout)) - {"--help"}
    table = README[README.index("| option |") : README.index("All settings and their units")]
    listed = set(re.findall(r"--[a-z][a-z-]+", table))
    assert offered == listed


def test_commands_install_the_lock_then_the_project_without_dependencies():
    for name in ("run", "test"):
        lines = command(name).splitlines()
        assert lines[1].endswith("-r requirements.txt")
        assert lines[2].endswith("--no-deps -e .")
    assert command("run").splitlines()[-1].endswith("run_all.py")
    assert "pytest" in command("test").splitlines()[-1]


def test_the_number_of_pages_is_that_of_a_run_without_data():
    story = chapters.chapters(PROJECT / "notebooks", ["synthetic"])
    n_pages = len(story) + len({links.GLOSSARY, references.PAGE, appendix.PROVENANCE}) + 1  # and the explorer
    assert f"`{n_pages} pages; open reports/demo/index.html`" in README


def test_ci_runs_the_test_command_of_the_readme():
    script = (PROJECT / ".ci" / "run").read_text()
    found = re.search(r"^command=\"\$\((awk .*)\)\"$", script, flags=re.MULTILINE)[1]
    done = subprocess.run(["bash", "-c", found], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.strip() == command("test").strip()


def test_the_ten_lines_run_as_they_stand(tmp_path):
    lines = re.search(r"<!-- lines: .*? -->\n```python\n(.*?)```", README, flags=re.DOTALL)[1]
    assert len([line for line in lines.splitlines() if line]) <= 12
    places = {"SER_STUDY_DERIVED": str(tmp_path / "derived"), "SER_STUDY_REPORTS": str(tmp_path / "reports")}
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=PROJECT, env=os.environ | places, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wrong, right = map(float, re.findall(r"0\.\d+", done.stdout))
    assert wrong > right + 0.05, "speakers in training and test flatter"


def test_every_corpus_is_listed():
    for name in set(corpora.names()) - {"own", "synthetic"}:
        assert f"download {name}" in README or f" {name} " in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (PROJECT / target).exists(), target


def test_named_modules_exist():
    for path in re.findall(r"`(src/ser_study/[a-z_/]+(?:\.py)?/?)`", README):
        assert (PROJECT / path).exists(), path
    assert features.names()


def test_student_systems_equal_the_published_table():
    table = pd.read_csv(PUBLISHED / "baselines.csv")
    block = README[README.index("<!-- baselines") : README.index("<!-- /baselines -->")].splitlines()[3:]
    lines = {line.split("|")[1].strip(): [cell.strip(" *") for cell in line.split("|")[3:-1]] for line in block}
    wanted = table[table["metric"] == "accuracy"].set_index("id")
    assert set(lines) == set(wanted.index)
    for name, cells in lines.items():
        row = wanted.loc[name]
        scores = [share(row[column]) for column in ("published", "rebuild", "ours", "fresh_mean", "honest")]
        assert cells == [f"{int(row['n']):,}", *scores]


def test_recognisers_equal_their_cards():
    block = README[README.index("<!-- recognisers") : README.index("<!-- /recognisers -->")].splitlines()[3:]
    lines = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in block}
    cards = {name: bundle.read(shipped.FOLDER / f"{name}.npz")[1] for name in shipped.FEATURES}
    kinds = ("scores_by_corpus", "scores_of_unknown_corpus")
    assert set(lines) == {word(name) for name in cards["campplus"][kinds[0]]}
    for corpus in cards["campplus"][kinds[0]]:
        uar = [cards[name][kind][corpus]["uar"] for name in cards for kind in kinds]
        texts = [f"{share(one['value'])} [{share(one['low'])}, {share(one['high'])}]" for one in uar]
        cells = [cell.replace("*", "") for cell in lines[word(corpus)]]
        assert [cells[0], *cells[2:]] == texts
        assert cells[1] == share(cards["campplus"][kinds[0]][corpus]["ece"]["value"])


def test_headline_equals_the_published_tables():
    if not PUBLISHED.is_dir():
        pytest.skip("no published report in reports/full")
    block = README[README.index("<!-- headline") : README.index("<!-- /headline -->")]
    best = pd.read_csv(PUBLISHED / "front_headline.csv")
    for _, row in best.iterrows():
        line = next(line for line in block.splitlines() if line.startswith(f"| {word(row['corpus'])} |"))
        assert f"{share(row['new speakers'])}" in line
        assert f"{share(row['random split'])}" in line
        assert f"| {row['best system']} | **{share(row['best score'])}**" in line
    assert len(block.splitlines()) == 3 + len(best)


@pytest.mark.parametrize("run", sorted(path.parent.name for path in (PROJECT / "reports").glob("*/run.json")))
def test_published_runs_come_from_a_clean_commit(run):
    facts = json.loads((PROJECT / "reports" / run / "run.json").read_text(encoding="utf-8"))
    assert facts["dirty"] is False
    assert [page for page, one in facts["chapters"].items() if one.get("dirty")] == []
    assert all(one["commit"] for one in facts["chapters"].values())
