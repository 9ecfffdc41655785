"""One web site of the published runs: the main run at its root, each other run in a folder below it.

Conventions
-----------
Pages are made anew from the published ones, so that runs of different ages look and work alike; whatever else of a run
can be read or downloaded is copied. Style, scripts, glossary and references are there once. All links are relative, so
the site can be read from disk; what must be absolute (``sitemap.xml``, the picture of the social card, links of
``404.html``) is so where the address of the site is known.
"""

from __future__ import annotations

import dataclasses
import html
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ser_study.report import pages, runs, social
from ser_study.report.appendix import PROVENANCE
from ser_study.report.articles import published_article
from ser_study.report.chapters import Chapter
from ser_study.report.links import GLOSSARY
from ser_study.report.pages import Book
from ser_study.report.publish import MAX_RUN, committed
from ser_study.report.references import PAGE as REFERENCES
from ser_study.report.runs import Run
from ser_study.store import file_hash, replacing
from ser_study.wording import word

CARD = "card.png"
SHARED = (GLOSSARY, REFERENCES)  # of the main run; they are the same in every run
_CHIP = re.compile(r'<span class="run">.*?</span>|<nav class="runs".*?</nav>', re.DOTALL)
_CHAPTER = re.compile(r'<a href="run:(pages/[^"#]+)([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_END_OF_HEAD = re.compile(
    r'(?:<meta name="description" content="">.*?)?</head>', re.DOTALL
)  # with what a site put there
_ASSET = re.compile(r'(?<=(?:href|.src)=")(?:\.\./)*assets/([\w.-]+)(?=")')


@dataclass(frozen=True)
class Edition:
    """A run in the site."""

    run: Run
    book: Book
    place: str  # its folder below the site, such as ``quick/``; empty for the main run

    @property
    def up(self) -> str:
        """From its folder to that of the site."""
        return "../" * self.place.count("/")


@dataclass(frozen=True)
class Site:
    """What was made."""

    folder: Path
    runs: Sequence[Run]
    pages: Sequence[str]  # files below the folder, in order
    n_bytes: int

    @property
    def is_large(self) -> bool:
        """Whether it is larger than what is published of a run."""
        return self.n_bytes > MAX_RUN


def build(reports: Path, to: Path, *, project: Path, url: str = "") -> Site:
    """Write the site.

    Parameters
    ----------
    reports : holds the published runs
    to : gets the site; a new or an empty folder, an earlier site, or the folder of the main run
    project : the checkout, with ``CITATION.cff``
    url : address of the site; empty: not known, and there is no sitemap

    Raises
    ------
    ValueError
        ``url`` is no address, or ``to`` is a folder with other things in it.
    FileNotFoundError
        No run has been published.
    """
    url = _checked(url)
    chosen = runs.published(reports)
    best = runs.main(chosen)
    if best is None:
        raise FileNotFoundError(f"There is nothing to make a site of. {runs.listed(reports)}")
    _refuse_other_things(to, reports, best)
    chosen = [best, *(run for run in chosen if run is not best)]
    editions = [_edition(run, "" if run is best else f"{run.slug}/", best, project) for run in chosen]
    alt = social.draw(best.folder, to / CARD, study=pages.STUDY)
    made = [file for edition in editions for file in _write(edition, editions, to, url, alt)]
    pages.write_assets(to / "assets")
    social.write_rest(to, url=url, files=made, book=editions[0].book)
    return Site(to, chosen, made, sum(path.stat().st_size for path in to.rglob("*") if path.is_file()))


def _checked(url: str) -> str:
    """The address with a stroke at its end."""
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
        raise ValueError(f"{url!r} is no address of a web site; give one such as https://example.org/study/.")
    return f"{url.rstrip('/')}/" if url else ""


def _refuse_other_things(to: Path, reports: Path, best: Run) -> None:
    """Raise where the site would be mixed with something else."""
    inside = [run.folder for run in runs.published(reports) if run.folder != best.folder]
    if to == reports or any(to.is_relative_to(folder) for folder in inside):
        raise ValueError(f"{to.name}/ holds a run; give a new folder for the site, or that of {best.folder.name}.")
    if to.is_file() or (to.is_dir() and any(to.iterdir()) and not (to / "index.html").is_file()):
        raise ValueError(f"{to.name} is not empty and holds no site; give a new folder.")


def _edition(run: Run, place: str, best: Run, project: Path) -> Edition:
    """A run with its pages, as they are published."""
    story = published_story(run)
    articles = {}
    for chapter in story:
        file = pages.file_of(chapter)
        text = published_article(run.folder / file, chapter.corpus and word(chapter.corpus))
        if text:
            body = unresolved(text["body"], "../" * file.count("/"))
            articles[chapter.page] = text | {"body": _mended(body, _files(run), _files(best))}
    executed = [chapter for chapter in story if chapter.page in articles]
    findings = "../index.html" if best.has_findings and run is not best else ""
    known = {*(pages.file_of(chapter) for chapter in story), "index.html", *SHARED, PROVENANCE, social.LOST}
    others = {file: run.folder / file for file in _files(run) if file not in known}
    more = {file: text for file, path in others.items() if (text := published_article(path, ""))}
    facts = run.about["chapters"]
    book = pages.bound(run.about, executed, articles, facts=facts, project=project, more=more, findings=findings)
    entries = [
        dict(entry, file=f"../{entry['file']}") if place and entry["file"] in SHARED else entry
        for entry in book.entries
    ]
    entries += [_bare(path, file) for file, path in others.items() if file not in more]
    return Edition(run, dataclasses.replace(book, entries=entries), place)


def published_story(run: Run) -> list[Chapter]:
    """The chapters of a published run in order, by the names of its pages."""
    corpora = sorted((row.get("corpus", "") for row in run.about.get("corpora", [])), key=len, reverse=True)
    names = []
    for page in run.about["chapters"]:
        corpus = next((one for one in corpora if one and page.endswith(f"_{one}")), "")
        names.append((page.removesuffix(f"_{corpus}") if corpus else page, corpus))
    story = []
    for place, (stem, corpus) in enumerate(names):
        same = [at for at, (other, _) in enumerate(names) if other == stem]
        part = chr(ord("a") + same.index(place)) if corpus and len(same) > 1 else ""
        story.append(Chapter(Path(f"{stem}.ipynb"), corpus, part))
    return story


def _files(run: Run) -> list[str]:
    """The pages of a run, below its folder."""
    pages = [*sorted(run.folder.glob("*.html")), *sorted((run.folder / "pages").glob("*.html"))]
    return [path.relative_to(run.folder).as_posix() for path in pages]


def unresolved(body: str, root: str) -> str:
    """A published body whose links lead from the folder of its run again."""
    return re.sub(rf'href="{re.escape(root)}(?=(?:pages/|tables/|index\.html)[^"]*")', 'href="run:', body)


def _mended(body: str, here: Collection[str], main: Collection[str]) -> str:
    """The body with its links to chapters that the run does not have: they lead to the main run, or are none."""

    def mend(match: re.Match) -> str:
        if match[1] in (*here, *SHARED, PROVENANCE):
            return match[0]
        return match[0].replace('"run:', '"run:../', 1) if match[1] in main else match[3]

    return _CHAPTER.sub(mend, body)


def _bare(path: Path, file: str) -> dict[str, Any]:
    """What contents need to know of a page that holds no article, and is taken as it is."""
    title = _TITLE.search(path.read_text(encoding="utf-8"))
    label = html.unescape(title[1]).removesuffix(f" – {pages.STUDY}") if title else path.stem
    about = {"page": file, "file": file, "number": "", "label": label, "opening": ""}
    return about | {"failed": False, "appended": True}


def _write(edition: Edition, editions: Sequence[Edition], to: Path, url: str, alt: str) -> list[str]:
    """Copy the files of a run and write its pages; the pages below the folder of the site."""
    folder, texts = to / edition.place, {}
    _copy(edition, to)
    for place, entry in enumerate(edition.book.entries):
        if entry["file"].startswith("../"):
            continue  # it is there once, with the main run
        root = "../" * entry["file"].count("/")
        article = edition.book.articles.get(entry["page"])
        site = {
            "up": edition.up,
            "name": edition.run.name,
            "runs": _switch(entry, edition, editions, root) if len(editions) > 1 else [],
            "description": social.description(article["body"]) if article else "",
            "address": url and url + edition.place + entry["file"].removesuffix("index.html"),
            "card": f"{url or root + edition.up}{CARD}",
            "card_alt": alt,
        }
        text = pages.page(edition.book, place, site=site) if article else _taken(edition.run.folder, entry, site)
        texts[entry["file"]] = _with_assets(text, root, edition, to)
    for file, text in texts.items():
        with replacing(folder / file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for old in (folder / "pages").glob("*.html"):
        if f"pages/{old.name}" not in texts:
            old.unlink()
    return [f"{edition.place}{file}" for file in texts]


def _copy(edition: Edition, to: Path) -> None:
    """What a run holds besides its pages; of its assets those that the pages of all runs do not share."""
    source, folder = edition.run.folder, to / edition.place
    kept = [path for path in committed(source) if path.suffix != ".html" and path.parent.name != "assets"]
    pairs = [(path, folder / path.relative_to(source)) for path in kept]
    for path in sorted((source / "assets").glob("*")):
        if path.name not in pages.ASSETS:
            there = to / "assets" / path.name
            differs = there.is_file() and file_hash(there) != file_hash(path)
            pairs.append((path, folder / "assets" / path.name if differs else there))
    for path, target in pairs:
        if not (target.exists() and target.samefile(path)):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _taken(folder: Path, entry: Mapping[str, Any], site: Mapping[str, Any]) -> str:
    """A page that holds no article, as it is but for the switch and what it says to others."""
    text = (folder / entry["file"]).read_text(encoding="utf-8")
    if site["runs"]:
        switch = pages.filled("switch.html.j2", site=site)
        text = _CHIP.sub(lambda _: switch, text, count=1)
    words = pages.filled("social.html.j2", site=site, study=pages.STUDY, title=entry["label"])
    return _END_OF_HEAD.sub(lambda _: f"{words}</head>", text, count=1)


def _with_assets(text: str, root: str, edition: Edition, to: Path) -> str:
    """A page with the way to its assets, which lie with the run where they differ from those of the main run."""

    def asset(match: re.Match) -> str:
        has_own = edition.place and (to / edition.place / "assets" / match[1]).is_file()
        return f"{root}{'' if has_own else edition.up}assets/{match[1]}"

    return _ASSET.sub(asset, text)


def _switch(entry: Mapping[str, Any], here: Edition, editions: Sequence[Edition], root: str) -> list[dict[str, Any]]:
    """The same chapter of each run, or its front page where it has none."""
    links = []
    for other in editions:
        same = entry if other is here else _same(entry, other.book.entries)
        target = same or other.book.entries[0]
        is_shared = entry["file"] in SHARED
        what = _what(target) if same or is_shared else f"{_what(target)}; it has no {_what(entry)}"
        href = f"{root}{here.up}{other.place}{target['file']}"
        links.append({"href": href, "name": other.run.name, "what": what, "current": other is here})
    return links


def _same(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry about the same: of that file, else the chapter of that number, whose name may have changed."""
    by_file = (other for other in entries if other["file"] == entry["file"])
    by_number = (other for other in entries if entry["number"] and other["number"] == entry["number"])
    return next(by_file, None) or next(by_number, None)


def _what(entry: Mapping[str, Any]) -> str:
    """An entry in few words."""
    if entry["file"] == "index.html":
        return "findings" if entry["page"] else "list of chapters"
    return f"chapter {entry['number']}" if entry["number"] else f"“{entry['label']}”"
