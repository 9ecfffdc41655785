"""One web site of several runs: pages, switch, social card, sitemap, the page for lost readers; what is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from crawler import broken_links
from report_sample import report

from ser_study import cli
from ser_study.report import pages, provenance, runs, site, social
from ser_study.store import write_json

PROJECT = Path(__file__).resolve().parents[1]
URL = "https://example.org/study/"
BARE = {
    "preset": "complete",
    "overrides": {},
    "seed": 1,
    "date": "today",
    "commit": "",
    "machine": {"cpu": "", "cores": 1},
}
OLD_PAGE = """<html><head><style>a {}</style></head><body><header><span class="run">complete run</span></header><main>
<article><p class="kicker">Chapter 8</p><h1 id="old">Old systems</h1>
<aside class="note stale"><p>Old.</p></aside><p>Words of the older page, as chapter 1 says.</p>
<h2 id="one">One <a class="anchor" href="#one">#</a></h2><p><a href="../tables/x.csv">all</a></p>
</article></main></body></html>"""
EXPLORER = """<html><head><title>Explorer – Speech emotion, honestly scored</title>
</head><body><span class="run">demo run</span><main><article><h1>Explorer</h1>
<!-- body -->
<link rel="stylesheet" href="assets/explorer.css"><p>Choose.</p><script src="assets/data.js"></script>
<!-- /body -->
</article></main></body></html>"""
BARE_PAGE = """<html><head><title>Slides – Speech emotion, honestly scored</title></head>
<body><span class="run">x</span>
<script src="assets/data.js"></script></body></html>"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """A run with findings and an explorer, and an older run of one chapter without; the folder of both."""
    with pytest.MonkeyPatch.context() as patch:
        folder = report(tmp_path_factory.mktemp("study"), patch).parent
    demo, older = folder / "demo", folder / "complete+a=b"
    (demo / "explorer.html").write_text(EXPLORER, "utf-8")
    (demo / "assets" / "explorer.css").write_text("b {}", "utf-8")
    (demo / "assets" / "data.js").write_text("1", "utf-8")
    (demo / "tables").mkdir(exist_ok=True)
    table = "corpus,system,random split,new speakers,chance\ntess,LDA,0.9,0.5,0.14\nemodb,LDA,,0.5,0.14\n"
    (demo / "tables" / "front_headline.csv").write_text(table)
    (older / "pages").mkdir(parents=True)
    (older / "tables").mkdir()
    (older / "tables" / "x.csv").write_text("a\n1\n")
    (older / "pages" / "08_older.html").write_text(OLD_PAGE, "utf-8")
    (older / "index.html").write_text("<h1>Overview</h1>", "utf-8")
    (older / "assets").mkdir()
    (older / "assets" / "data.js").write_text("2", "utf-8")
    (older / "assets" / "explorer.css").write_text("b {}", "utf-8")
    (older / "explorer.html").write_text(EXPLORER, "utf-8")
    (older / "slides.html").write_text(BARE_PAGE, "utf-8")
    chapters = {"08_older": {"status": "done", "seconds": 1.0, "date": "then", "commit": "", "current": True}}
    about = BARE | {"machine": {"cpu": "x", "cores": 1, "system": "y"}, "versions": {"python": "3"}, "ser_study": "0"}
    write_json(older / "run.json", about | {"chapters": chapters, "corpora": [], "overrides": {"a": "b"}})
    return folder


@pytest.fixture(scope="module")
def made(reports, tmp_path_factory):
    return site.build(reports, tmp_path_factory.mktemp("web") / "site", project=PROJECT, url=URL)


def text_of(made, file: str) -> str:
    return (made.folder / file).read_text(encoding="utf-8")


def test_the_run_with_findings_is_at_the_root_and_the_others_below(made):
    assert [run.name for run in made.runs] == ["demo", "complete, a = b"]
    assert "index.html" in made.pages
    assert "complete-a-b/pages/08_older.html" in made.pages
    assert "explorer.html" in made.pages
    assert sum(file.endswith("glossary.html") for file in made.pages) == 1
    assert [path.parent.name for path in made.folder.rglob("style.css")] == ["assets"]
    assert (made.folder / "complete-a-b" / "tables" / "x.csv").is_file()


def test_no_link_of_the_site_is_broken(made):
    assert broken_links(made.folder) == []


def test_each_page_leads_to_the_same_chapter_of_the_other_run_or_to_its_front_page(made):
    def switch(file):
        links = re.findall(r'<li><a href="([^"]+)"[^>]*>([^<]+) <small>([^<]+)</small>', text_of(made, file))
        return [(address, name.strip(), what) for address, name, what in links]

    assert switch("complete-a-b/pages/08_older.html") == [
        ("../../index.html", "demo", "findings; it has no chapter 8"),
        ("../../complete-a-b/pages/08_older.html", "complete, a = b", "chapter 8"),
    ]
    assert switch("pages/04_models.html")[1] == (
        "../complete-a-b/index.html", "complete, a = b", "list of chapters; it has no chapter 4",
    )  # fmt: skip
    assert switch("pages/glossary.html")[1][2] == "list of chapters"
    assert switch("explorer.html")[0] == ("explorer.html", "demo", "“Explorer”")
    assert "“Slides”" in switch("complete-a-b/slides.html")[0][2]


def test_chapters_of_the_same_number_are_the_same_under_another_name():
    entries = [{"file": "pages/08_seeds_revisited.html", "number": "8"}, {"file": "pages/01_a.html", "number": ""}]
    assert site._same({"file": "pages/08_baselines.html", "number": "8"}, entries) is entries[0]
    assert site._same({"file": "pages/x.html", "number": ""}, entries) is None


def test_a_run_without_findings_opens_with_its_chapters_and_the_way_to_the_findings(made):
    front = text_of(made, "complete-a-b/index.html")
    assert '<a href="pages/08_older.html">Chapter 8: Old systems</a>' in front
    assert 'The findings of the study are on <a href="../index.html">' in front
    assert "have not been written" not in "".join(text_of(made, file) for file in made.pages)


def test_outside_a_site_the_findings_are_those_of_the_main_run_beside_it(reports):
    assert pages._findings_beside(reports / "complete+a=b") == "../demo/index.html"
    assert pages._findings_beside(reports / "demo") == ""
    text = pages._chapter_list({"preset": "demo"}, [{"file": "pages/1.html", "number": "1", "label": "A & b"}] * 2, "")
    assert text["body"].startswith("<p>2 chapters of the study, run with the preset “demo”.</p>")
    assert "Chapter 1: A &amp; b</a>" in text["body"]


def test_an_older_page_looks_like_the_others_and_keeps_its_words(made):
    page = text_of(made, "complete-a-b/pages/08_older.html")
    assert "Words of the older page" in page
    assert 'class="note stale"' not in page
    assert '<link rel="stylesheet" href="../../assets/style.css">' in page
    assert '<a href="../tables/x.csv">' in page
    assert page.count("<h1") == 1
    assert '<li class="level-2"><a href="#one">One</a></li>' in page


def test_links_to_chapters_that_a_run_lacks_lead_to_the_main_run_or_are_none():
    links = ("pages/04_a.html#b", "pages/05_b.html", "pages/06_c.html", "pages/glossary.html#uar")
    body = "".join(f'<a href="run:{link}" class="x">{place}</a> ' for place, link in enumerate(links))
    assert site._mended(body, {"pages/04_a.html"}, {"pages/05_b.html"}) == (
        '<a href="run:pages/04_a.html#b" class="x">0</a> <a href="run:../pages/05_b.html" class="x">1</a> 2 '
        '<a href="run:pages/glossary.html#uar" class="x">3</a> '
    )


def test_a_page_that_is_no_chapter_is_in_the_contents_and_loads_the_data_of_its_own_run(made):
    assert '<a href="../explorer.html">' in text_of(made, "pages/04_models.html")
    loads = re.compile(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"')
    assert set(loads.findall(text_of(made, "explorer.html"))) == {
        *("assets/style.css", "assets/explorer.css", "assets/data.js", "assets/page.js"),
    }  # fmt: skip
    assert set(loads.findall(text_of(made, "complete-a-b/explorer.html"))) == {
        *("../assets/style.css", "../assets/explorer.css", "assets/data.js", "../assets/page.js"),
    }  # fmt: skip
    assert (made.folder / "complete-a-b" / "assets" / "data.js").read_text() == "2"


def test_a_page_without_an_article_gets_the_switch_and_keeps_the_rest(made):
    page = text_of(made, "complete-a-b/slides.html")
    assert '<meta property="og:title" content="Slides">' in page
    assert '<nav class="runs"' in page
    assert '<span class="run">' not in page
    assert '<script src="assets/data.js">' in page


def test_the_card_shows_the_scores_of_the_findings(made):
    from matplotlib.image import imread

    assert imread(made.folder / site.CARD).shape[:2] == social.SIZE[::-1]
    front = text_of(made, "index.html")
    assert 'content="UAR on a random split and on new speakers: TESS .900 and .500."' in front
    assert f'<meta property="og:image" content="{URL}card.png">' in front
    assert f'<link rel="canonical" href="{URL}">' in front


def test_a_description_is_the_first_paragraph_cut_at_a_word():
    body = f"<p>In short:</p><p>One <b>&amp;</b> two<sup><a>1</a></sup>, {'word ' * 60}</p>"
    text = social.description(body)
    assert text.startswith("One & two, word")
    assert text.endswith("word…")
    assert len(text) <= social.LONGEST


def test_the_sitemap_lists_every_page_once(made):
    tree = ElementTree.parse(made.folder / "sitemap.xml")
    places = [node.text for node in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert len(places) == len(set(places)) == len(made.pages)
    assert URL in places
    assert f"{URL}complete-a-b/pages/08_older.html" in places
    assert (made.folder / "robots.txt").read_text().endswith(f"Sitemap: {URL}sitemap.xml\n")


def test_the_page_for_lost_readers_works_at_any_address(made):
    page = text_of(made, "404.html")
    assert f'<a href="{URL}pages/04_models.html">4 The chapter</a>' in page
    assert '<link rel="stylesheet"' not in page
    assert "<script" not in page


def test_without_an_address_links_are_relative_and_the_sitemap_goes(reports, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_STUDY_REPORTS", str(reports))
    to = tmp_path / "site"
    assert cli.main(["report", "--site", str(to), "--url", "https://example.org"]) == 0
    assert (to / "sitemap.xml").is_file()
    capsys.readouterr()
    assert cli.main(["report", "--site", str(to)]) == 0
    assert "there is no sitemap.xml" in capsys.readouterr().out
    assert not (to / "sitemap.xml").exists()
    assert "example.org" not in "".join(path.read_text("utf-8") for path in to.rglob("*.*ml"))
    assert '<meta property="og:image" content="../card.png">' in (to / "pages" / "04_models.html").read_text("utf-8")


def test_a_site_can_be_made_in_the_folder_of_the_main_run_again_and_again(reports, tmp_path):
    shutil.copytree(reports, folder := tmp_path / "reports")
    first = site.build(folder, folder / "demo", project=PROJECT)
    before = {file: text_of(first, file) for file in first.pages}
    assert broken_links(folder / "demo") == []
    again = site.build(folder, folder / "demo", project=PROJECT)
    assert {file: text_of(again, file) for file in again.pages} == before


@pytest.mark.parametrize(
    ("to", "url", "words"),
    [
        ("site", "example.org", "no address of a web site"),
        ("", "", "holds a run"),
        ("complete+a=b/site", "", "holds a run"),
        ("demo/tables", "", "is not empty and holds no site"),
    ],
)
def test_what_is_no_place_for_a_site_is_refused(reports, to, url, words):
    with pytest.raises(ValueError, match=words):
        site.build(reports, reports / to, project=PROJECT, url=url)


def test_without_runs_there_is_no_site(tmp_path):
    with pytest.raises(FileNotFoundError, match="No run has been published in"):
        site.build(tmp_path, tmp_path / "site", project=PROJECT)


def test_the_main_run_is_full_with_findings_else_the_next(tmp_path):
    for name, page in (("quick", "09_findings"), ("full", "04_models"), ("demo", "09_findings"), ("own+x=1", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text("x")
        write_json(tmp_path / name / "run.json", {"preset": name.partition("+")[0], "chapters": {page: {}}})
    published = runs.published(tmp_path)
    assert [run.folder.name for run in published] == ["full", "quick", "demo", "own+x=1"]
    assert runs.main(published).folder.name == "quick"
    assert runs.main([]) is None


def test_a_run_is_named_by_its_preset_and_what_differs_from_it():
    names = [runs.Run(PROJECT, BARE | {"overrides": dict.fromkeys("abc"[:n], 1)}).name for n in range(4)]
    assert names == ["complete", "complete, a = 1", "complete, a = 1, b = 1", "complete, 3 settings changed"]


def test_chapters_of_a_published_run_have_their_numbers():
    older = PROJECT / "reports" / "full+training.seeds=5"
    run = runs.Run(older, provenance.read_run(older))
    assert [pages.file_of(chapter) for chapter in site.published_story(run)] == ["pages/08_seeds_revisited.html"]
    about = {"corpora": [{"corpus": "a"}, {"corpus": "b_a"}], "chapters": {"01_x_a": {}, "01_x_b_a": {}, "02_y": {}}}
    story = site.published_story(runs.Run(PROJECT, about))
    assert [(chapter.notebook.stem, chapter.corpus, chapter.part) for chapter in story] == [
        ("01_x", "a", "a"), ("01_x", "b_a", "b"), ("02_y", "", ""),
    ]  # fmt: skip


def test_a_command_that_asks_for_nothing_is_answered(capsys):
    assert cli.main(["report"]) == 2
    assert "--site DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--rewrite", "reports/none", "--to", "elsewhere"], "--to"),
        (["--site", "elsewhere", "--from", "reports/none"], "--from"),
        (["--compare", "a", "b", "--url", "https://example.org"], "--url"),
        (["--pdf", "--from", "reports/none", "--to", "elsewhere"], "--to"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words, option, capsys):
    assert cli.main(["report", *words]) == 2
    assert f"{option} does nothing here" in capsys.readouterr().err
