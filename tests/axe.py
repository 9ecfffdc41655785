"""What axe (axe-core, Deque) finds in a page that a browser shows; the environment variable AXE names a newer one."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

SERIOUS = ("serious", "critical")


def script() -> str:
    """The source of axe."""
    named = os.environ.get("AXE")
    return (Path(named) if named else resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")


def findings(browser, impacts: tuple[str, ...] = SERIOUS) -> list[str]:
    """Rule and element of all that is found in the page as it is, of these impacts."""
    browser.execute_script(script())
    run = "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(found => done("
    run += "found.violations.flatMap(one => one.nodes.map(node => [one.impact, one.id, node.html, node.failureSummary])"
    found = browser.execute_async_script(run + ")), error => done([['critical', 'axe', String(error), '']]));")
    return [f"{impact}: {rule}: {html[:200]} {why}" for impact, rule, html, why in found if impact in impacts]
