"""Pages opened in a browser: at a width, in a theme, with or without scripts."""

from __future__ import annotations

import time


def resize(browser, width):
    """Give the window a width; below 500 px it is that of a telephone."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser, theme):
    """Wish for a theme, and for no motion."""
    wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    media = {"features": [{"name": name, "value": value} for name, value in wishes.items()]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def visit(browser, path, *, width=1280, theme="light", script=True, fragment=""):
    """Open a page at a width and in a theme; wait for its tables."""
    resize(browser, width)
    prefer(browser, theme)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri() + fragment)
    for _ in range(100):
        if not script or not browser.find_elements("css selector", "[data-ser-table]"):
            return
        time.sleep(0.1)
    raise AssertionError("The tables were never made interactive.")
