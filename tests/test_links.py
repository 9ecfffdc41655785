"""Links, footnotes and the pages that no notebook makes: glossary, references, provenance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_sample import report

from ser_study.report import appendix, links, references

PROJECT = Path(__file__).resolve().parents[1]
CHAPTERS = {"1a": "pages/01_corpus_tess.html", "4b": "pages/04b_ablations.html", "8": "pages/08_baselines.html"}
TERMS = (
    links.Term("UAR", "Mean recall, <not> accuracy.", ("unweighted average recall",)),
    links.Term("fold", "A part."),
)


def linked(body: str, *, here: str = "pages/04_models.html") -> str:
    return links.linked(body, CHAPTERS, here=here, terms=TERMS)


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("see chapter 8.", CHAPTERS["8"]),
        ("see chapter 08.", CHAPTERS["8"]),
        ("Chapter 4b shows", CHAPTERS["4b"]),
        ("chapter 1 lists", CHAPTERS["1a"]),
    ],
)
def test_a_mention_of_a_chapter_leads_to_its_page(text, page):
    assert f'<a href="run:{page}">' in linked(f"<p>{text}</p>")


@pytest.mark.parametrize(
    "body",
    [
        "<p>chapter 9 and chapter 12b are not there</p>",
        "<h2>chapter 8</h2>",
        "<p><code>chapter 8</code></p>",
        '<p><a href="#x">chapter 8</a></p>',
        "<svg><text>chapter 8, UAR</text></svg>",
        '<script>if (1 < 2) x = "<p>"; // chapter 8, UAR, fold</script>',
        "<table><tr><td>chapter 8, UAR</td></tr></table>",
        '<img alt="chapter 8, UAR">',
        "<p>manifold, folding, UARs</p>",
    ],
)
def test_what_is_no_mention_stays(body):
    assert linked(body) == body


def test_a_mention_of_the_explorer_leads_there_where_there_is_one():
    link = '<a href="run:explorer.html">the explorer</a>'
    with_explorer = CHAPTERS | {"explorer": "explorer.html"}
    made = links.linked("<p>and the explorer scores any voices</p>", with_explorer, here="index.html", terms=())
    assert made == f"<p>and {link} scores any voices</p>"
    assert links.linked(made, with_explorer, here="index.html", terms=()) == made
    assert "<a" not in linked("<p>and the explorer scores any voices</p>")


def test_a_page_does_not_lead_to_itself():
    assert linked("<p>chapter 8</p>", here=CHAPTERS["8"]) == "<p>chapter 8</p>"


def test_the_first_mention_of_a_term_shows_its_meaning():
    body = linked("<h2>UAR</h2><p>By unweighted average recall (UAR), each fold, UAR.</p>")
    (meaning,) = re.findall(r'href="run:pages/glossary.html#uar" data-meaning="([^"]*)"', body)
    assert meaning == "Mean recall, &lt;not&gt; accuracy."
    assert ">unweighted average recall</a> (UAR), each <a" in body
    assert body.count('class="term"') == 2


def test_nothing_that_can_be_reached_by_keyboard_is_hidden_from_readers_aloud():
    hint = '<p class="ser-hint" aria-hidden="true"><b>UAR of each fold</b><br>The figure scrolls.</p>'
    assert linked(hint) == hint


def test_links_are_made_once_however_often():
    once = linked('<p>UAR of chapter 8, fold; UAR</p><figure class="ser-table" id="table-x"><figcaption>'
                  '<b class="ser-number">Table 3.1</b> Words.</figcaption></figure>')  # fmt: skip
    assert '<b class="ser-number"><a href="#table-x">Table 3.1</a></b>' in once
    assert linked(once) == once


def test_every_source_of_the_glossary_is_among_the_references():
    terms, known = links.glossary(), references.references()
    assert len(terms) > 40
    assert {key for term in terms for key in term.sources} <= set(known)
    forms = [form for term in terms for form in (term.name, *term.forms)]
    assert len(forms) == len(set(forms))
    assert len({term.anchor for term in terms}) == len(terms)
    assert all(term.text.endswith(".") for term in terms)


def test_references_are_whole_and_in_order():
    known = list(references.references().values())
    assert [one.authors.lower() for one in known] == sorted(one.authors.lower() for one in known)
    assert all(re.fullmatch(r"10\.\d{4,9}/\S+", one.doi) for one in known if one.doi)
    assert [one.key for one in known if not one.address] == ["haq2009"]
    assert len({one.address for one in known}) == len(known)
    assert all(re.fullmatch(r"[a-z]+\d{4}", one.key) and one.key.endswith(str(one.year)) for one in known)


def test_links_to_the_literature_become_footnotes():
    cao, guo = references.references()["cao2014"], references.references()["guo2017"]
    cite = f'<a href="{cao.address}">Cao et al. 2014</a>'
    body = references.footnoted(
        f'<p>{cite}, <a href="{guo.address}">Guo</a>, {cite}, <a href="https://x.org">x</a></p>'
    )
    assert re.findall(r'<sup><a href="#source-(\d)"', body) == ["1", "2", "1"]
    assert f'<li id="source-1">{cao.entry}</li><li id="source-2">{guo.entry}</li>' in body
    assert body.count("<li") == 2
    assert references.footnoted("<p>nothing</p>") == "<p>nothing</p>"


def test_every_link_of_a_notebook_to_a_publication_is_a_known_reference():
    known = {one.address for one in references.references().values()}
    for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        cited = re.findall(r"\]\((https://(?:doi\.org|arxiv\.org|www\.jmlr\.org)/[^)\s]+)\)", text)
        assert set(cited) <= known, path.name


def test_the_command_makes_the_run_again():
    run = {"preset": "quick", "overrides": {"seed": 3, "ladder.curve_speakers": (2, 4), "corpora": "a b"}}
    assert appendix.command(run, "03_splits") == (
        "python run_all.py --preset quick --set seed=3 --set ladder.curve_speakers=2,4 --set 'corpora=a b' "
        "--only 03_splits"
    )


def test_the_citation_is_that_of_the_file(tmp_path):
    text = (PROJECT / "CITATION.cff").read_text(encoding="utf-8")
    cited = appendix.citation(PROJECT)
    assert re.search(r'^title: "(.*)"', text, re.MULTILINE)[1] in cited
    assert cited.startswith("The ser_study authors (20")
    assert appendix.citation(tmp_path) == "See CITATION.cff in the repository."


def test_pages_lead_to_the_appendix_and_all_its_anchors_are_there(tmp_path, monkeypatch):
    run = report(tmp_path, monkeypatch)
    pages = {path.relative_to(run).as_posix(): path.read_text(encoding="utf-8") for path in run.rglob("*.html")}
    assert {links.GLOSSARY, references.PAGE, appendix.PROVENANCE} < set(pages)
    ids = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()}
    for name, text in pages.items():
        assert text.count(f"{appendix.PROVENANCE.rpartition('/')[2]}") >= 1, name
        for address in re.findall(r'<a [^>]*href="([^"]+)"', text):
            if address.startswith(("http", "data:")):
                continue
            target, _, anchor = address.partition("#")
            file = (
                (run / name).parent.joinpath(target).resolve().relative_to(run.resolve()).as_posix() if target else name
            )
            assert file in pages or (run / file).is_file(), (name, address)
            assert not anchor or anchor in ids[file], (name, address)
    assert "python run_all.py --preset demo --only 04_models" in pages["pages/04_models.html"]
