"""A run as one PDF: pages in the order of the contents, bookmarks, links inside; what is printed by a real Chromium."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from report_sample import report

from ser_study import cli
from ser_study.report import printing, runs


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return report(tmp_path_factory.mktemp("study"), patch).parent


OLDER = """<nav class="contents" aria-label="Contents">
<details open>
  <summary>Contents</summary>
  <ol class="chapters">    <li class="here">
      <a href="index.html" aria-current="page">
        <span class="no"></span><span>Overview</span></a>    </li>    <li>
      <a href="pages/04_traditional_ml.html">
        <span class="no">4</span><span>Five models, two questions</span></a>    </li>  </ol>
</details>
</nav>"""  # as pages of November have it


def test_pages_come_in_the_order_of_the_contents(reports, tmp_path):
    (reports / "demo" / "explorer.html").write_text("<p>no text to print</p>")
    listed = printing.contents(reports / "demo")
    assert [(page.name, label) for page, label in listed] == [
        ("index.html", "The chapter"),
        ("01_corpus.html", "1 The chapter"),
        ("04_models.html", "4 The chapter"),
        ("glossary.html", "Glossary"),
        ("references.html", "References"),
        ("provenance.html", "Provenance and citation"),
    ]
    (tmp_path / "pages").mkdir()
    (tmp_path / "index.html").write_text(OLDER, "utf-8")
    (tmp_path / "pages" / "04_traditional_ml.html").write_text("<p>Old.</p>")
    old = printing.contents(tmp_path)
    assert [(page.name, label) for page, label in old] == [
        ("index.html", "Overview"),
        ("04_traditional_ml.html", "4 Five models, two questions"),
    ]


def part(folder: Path, name: str, n_pages: int, links=(), anchors=()) -> printing.Part:
    """A print as Chromium leaves it: a link is an address or the anchor of a place in the same print."""
    writer = PdfWriter()
    for _ in range(n_pages):
        writer.add_blank_page(200, 300)
    for anchor, number in anchors:
        writer.add_named_destination(anchor, number)
    for address in links:
        writer.add_annotation(0, Link(rect=(1, 2, 3, 4), url=address))
    writer.write(pdf := folder / f"{name}.pdf")
    section = {"level": 2, "anchor": "scores", "text": "Scores"}
    return printing.Part(folder / f"{name}.html", name, [section, section | {"level": 3}], pdf)


def test_parts_are_bound_with_bookmarks_and_links_that_stay_inside(tmp_path):
    page = (tmp_path / "two.html").as_uri()
    links = ("https://doi.org/x", f"{page}#scores", f"{page}#gone", "file:///etc/passwd", "mailto:x@y")
    parts = [part(tmp_path, "one", 2, links), part(tmp_path, "two", 3, anchors=[("scores", 2)])]
    assert printing.bind(parts, tmp_path / "all.pdf", title="All") == 5
    made = PdfReader(tmp_path / "all.pdf")
    assert made.metadata.title == "All"
    first, inside_first, second, (section,) = made.outline
    assert [made.get_destination_page_number(one) for one in (first, second, section)] == [0, 2, 4]
    assert [first.title, second.title, section.title] == ["one", "two", "Scores"]
    assert [one.title for one in inside_first] == ["Scores"]
    annotations = [one.get_object() for one in made.pages[0]["/Annots"]]
    assert [str(one["/A"]["/URI"]) for one in annotations if "/A" in one] == ["https://doi.org/x"]
    targets = [one["/Dest"][0] for one in annotations if "/Dest" in one]
    assert [made.get_page_number(target.get_object()) for target in targets] == [4, 2]
    assert b"file:" not in (tmp_path / "all.pdf").read_bytes()


def test_without_chromium_the_message_says_what_to_install(reports, monkeypatch, capsys):
    monkeypatch.setenv("SER_STUDY_REPORTS", str(reports))
    monkeypatch.setenv("PATH", "")
    assert cli.main(["report", "--pdf"]) == 2
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_chromium_that_fails_is_named_with_its_reason(reports, tmp_path, monkeypatch):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho first >&2\necho 'no display' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(printing, "BROWSERS", (str(broken),))
    with pytest.raises(RuntimeError, match=r"did not print index.html: no display"):
        printing.write(runs.at(reports / "demo", reports), tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert cli.main(["report", "--pdf", "--from", str(tmp_path)]) == 2
    assert "is no published run" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, printing.BROWSERS)), reason="no chromium on the path")
def test_chromium_prints_every_page_with_its_tables(reports, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_STUDY_REPORTS", str(reports))
    assert cli.main(["report", "--pdf", str(tmp_path / "demo.pdf")]) == 0
    printed = capsys.readouterr().out
    made = PdfReader(tmp_path / "demo.pdf")
    assert f"{len(made.pages)} pages of the run demo" in printed
    chapters = [one for one in made.outline if not isinstance(one, list)]
    assert [one.title for one in chapters] == [label for _, label in printing.contents(reports / "demo")]
    starts = [made.get_destination_page_number(one) for one in chapters]
    assert starts == sorted(set(starts))
    text = " ".join(page.extract_text() for page in made.pages[: starts[1]])
    assert set(re.findall(r"model-\d\d", text)) == {f"model-{number:02d}" for number in range(40)}, "every row"
    assert "Show code" not in text
    assert str(reports).encode() not in (tmp_path / "demo.pdf").read_bytes()
