"""A crawl over pages on disk: broken links, ids that are there twice, and what a browser measures and complains of."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from contrast import faint_texts
from visits import prefer, resize, visit

_LINK = re.compile(r'<(?:a|link|script|img|iframe|source)\b[^>]*?\b(?:href|src)="([^"]*)"')
_OWN = re.compile(r"<(?:script|style)\b(?![^>]*\bsrc=)[^>]*>.*?</(?:script|style)>", re.DOTALL)
_ID = re.compile(r'<[^>]*?\bid="([^"]+)"')
ELSEWHERE = ("http:", "https:", "mailto:", "data:", "blob:")


def pages_of(folder: Path) -> dict[Path, str]:
    """Pages below a folder, without the text of their own scripts and styles."""
    return {path.resolve(): _OWN.sub("", path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}


def broken_links(folder: Path) -> list[str]:
    """Links and anchors of all pages that lead nowhere, or out of the folder."""
    pages, root = pages_of(folder), folder.resolve()
    ids = {path: set(_ID.findall(text)) for path, text in pages.items()}
    broken = []
    for path, text in pages.items():
        for address in set(_LINK.findall(text)):
            if address.startswith(ELSEWHERE):
                continue
            name, _, anchor = address.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            is_there = target.is_file() and target.is_relative_to(root)
            if not is_there or (anchor and unquote(anchor) not in ids.get(target, ())):
                broken.append(f"{path.relative_to(root)}: {address}")
    return sorted(broken)


def repeated_ids(folder: Path) -> list[str]:
    """Ids that a page has more than once."""
    repeated = []
    for path, text in pages_of(folder).items():
        ids = _ID.findall(text)
        repeated += [f"{path.name}: {name}" for name in sorted(set(ids)) if ids.count(name) > 1]
    return repeated


# In a browser ---------------------------------------------------------------------------------------------------------

WIDTHS = (1440, 768, 390)
OVERWIDE = """
const name = (node) => node.tagName.toLowerCase() + (node.id ? '#' + node.id : '') +
  (node.classList.length ? '.' + [...node.classList].join('.') : '');
const way = (node) => [node.parentElement, node].filter(Boolean).map(name).join(' > ');
const scrolls = (style) => ['auto', 'scroll'].includes(style.overflowX);
const faults = new Set();
for (const node of document.body.querySelectorAll('*:not(svg *):not(script):not(style):not(template)')) {
  const box = node.getBoundingClientRect(), style = getComputedStyle(node);
  if (!box.width || !box.height || !node.checkVisibility() || ['absolute', 'fixed'].includes(style.position)) continue;
  if (node.scrollWidth > node.clientWidth + 1 && node.clientWidth) {
    if (scrolls(style)) {
      const inside = node.querySelector('a[href], button, input, select, summary, [tabindex="0"]');
      if (node.tabIndex < 0 && !inside) faults.add(`${way(node)}: scrolls, but no key reaches it`);
      if (style.backgroundImage === 'none') faults.add(`${way(node)}: scrolls, but nothing says so`);
    } else if (['hidden', 'clip'].includes(style.overflowX) && style.textOverflow !== 'ellipsis') {
      faults.add(`${way(node)}: cut, ${node.scrollWidth} in ${node.clientWidth} px`);
    }
  }
  let over = '', holder = null;
  for (let parent = node.parentElement; parent && parent !== document.documentElement; parent = parent.parentElement) {
    const outer = getComputedStyle(parent);
    if (outer.overflowX !== 'visible') over = ''; // it scrolls or is cut there, which is looked at above
    if (outer.overflowX !== 'visible' || (holder && !over)) break;
    if (holder || ['inline', 'contents'].includes(outer.display)) continue;
    holder = parent;
    const excess = Math.round(box.right - parent.getBoundingClientRect().right);
    if (excess > 1) over = `${way(node)}: reaches ${excess} px over ${name(parent)}`;
  }
  if (over) faults.add(over);
}
const page = document.documentElement;
if (page.scrollWidth > page.clientWidth) faults.add(`the page is ${page.scrollWidth} px wide`);
return [...faults];
"""
NAMELESS = """
const faults = [];
for (const picture of document.querySelectorAll('img, svg[role=img]')) {
  const words = picture.getAttribute('alt') ?? picture.getAttribute('aria-label') ?? '';
  if (words.trim().length < 10) faults.push(`no words for ${picture.outerHTML.slice(0, 80)}`);
}
if (document.querySelector('.ser-drawing svg:not([role=img])')) faults.push('a drawing without role');
const landmarks = {banner: 'body > header', main: 'main', navigation: 'nav', complementary: 'aside'};
for (const [role, selector] of Object.entries(landmarks)) {
  const names = [...document.querySelectorAll(selector)].map((node) => node.getAttribute('aria-label') ?? '');
  if (role === 'main' && names.length !== 1) faults.push(`${names.length} main landmarks`);
  if (new Set(names).size !== names.length) faults.push(`${role}: ${names.join(', ')}`);
}
if (document.querySelectorAll('h1').length !== 1) faults.push('not one first heading');
return faults;
"""


def _settled(browser: Any) -> list[str]:
    """Faint texts that stay so: the explorer draws anew after a change of theme, on a busy machine a moment later."""
    for _ in range(20):
        if not (faint := faint_texts(browser)):
            break
        time.sleep(0.25)
    return faint


def faults(browser: Any, path: Path) -> list[str]:
    """What is wrong with a page as a browser shows it: too wide, complaints, requests, no words, faint ones."""
    visit(browser, path, width=WIDTHS[0])
    wrong = [f"console: {entry['message']}" for entry in browser.get_log("browser")]
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    wrong += [f"asks for {url}" for url in urls if not url.startswith(("file:", "data:", "blob:", "chrome:"))]
    wrong += browser.execute_script(NAMELESS)
    for theme in ("dark", "light"):
        prefer(browser, theme)
        wrong += [f"{theme}: {fault}" for fault in _settled(browser)]
    for width in WIDTHS:
        resize(browser, width)
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        wrong += [f"{width} px: {fault}" for fault in browser.execute_script(OVERWIDE)]
    return [f"{path.name}: {one}" for one in wrong]
