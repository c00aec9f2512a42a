"""The page in a real browser: no error, no sideways scrolling, every figure visible, wide and narrow."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnae.analysis.report.files import report_files, write_report
from tests.analysis.published import FILTRATION
from tests.analysis.report.test_pages import evil_study
from tests.analysis.reports import make_report


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A report with Lenth's method, and one whose names contain HTML and scripts."""
    found = {}
    for name, (table, factors) in {"lenth": (FILTRATION, list("ABCD")), "evil": evil_study()}.items():
        directory = tmp_path_factory.mktemp(name)
        write_report(report_files(make_report(directory / "logs", table, factors)), directory)
        found[name] = directory / "report.html"
    return found


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["lenth", "evil"])
def test_page_in_chromium(name, width, browser, pages) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("performance")
    browser.get(pages[name].as_uri())
    assert browser.get_log("browser") == []
    sent = [entry for entry in browser.get_log("performance") if "Network.requestWillBeSent" in entry["message"]]
    assert all("report.html" in entry["message"] or '"url":"data:' in entry["message"] for entry in sent)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('figure svg')].map(svg => {"
        "const box = svg.getBoundingClientRect(); return [box.width, box.height, svg.querySelectorAll('path').length]})"
    )
    assert len(boxes) == (6 if name == "lenth" else 5)
    assert all(width > 100 and height > 100 and paths > 5 for width, height, paths in boxes)
    assert browser.execute_script("return document.querySelectorAll('script, img, [onerror]').length") == 0
    assert "alert" not in browser.title


SHOWN = "return document.querySelector('#means table').checkVisibility({contentVisibilityAuto: true})"


def test_links_of_the_contents_open_their_section_and_paper_shows_all(browser, pages) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    def wait_until_shown(expected: bool) -> None:
        # The browser applies another medium with its next frame, which a busy machine draws late.
        WebDriverWait(browser, 30).until(lambda page: page.execute_script(SHOWN) is expected)

    browser.get(pages["lenth"].as_uri())
    assert not browser.execute_script(SHOWN)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    wait_until_shown(True)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    wait_until_shown(False)
    browser.execute_script("document.querySelector('nav a[href=\"#means\"]').click()")
    wait_until_shown(True)
    assert browser.execute_script("return document.querySelectorAll('main > details[open]').length") == 1


def test_the_colours_follow_the_system_and_figures_stay_on_white(browser, pages) -> None:
    found = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        browser.get(pages["lenth"].as_uri())
        found[scheme] = browser.execute_script(
            "return [document.body, document.querySelector('figure .scroll')]"
            ".map(element => getComputedStyle(element).backgroundColor)"
        )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == {
        "light": ["rgb(255, 255, 255)", "rgb(255, 255, 255)"],
        "dark": ["rgb(17, 24, 39)", "rgb(255, 255, 255)"],
    }
