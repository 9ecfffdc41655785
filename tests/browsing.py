"""Headless Chromium for the tests of pages: one session a file, any width, theme and medium."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def session() -> Iterator:
    """Headless Chromium from Debian, ended afterwards; without one the test is skipped."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (extra: dev)")
    chromium, driver = next(filter(None, map(shutil.which, NAMES)), None), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on the path: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def visit(browser, path, *, width=1280, theme="light", script=True):
    """Open a page at a width and in a theme; wait for its tables."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    media = {"features": [{"name": name, "value": value} for name, value in wishes.items()]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri())
    for _ in range(100):
        if not script or not browser.find_elements("css selector", "[data-ser-table]"):
            return
        time.sleep(0.1)
    raise AssertionError("The tables were never made interactive.")
