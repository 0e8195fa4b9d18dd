"""The page in headless Chromium: it asks for nothing, its tables sort, it fits paper and narrow windows."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from ser.report import write_report

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the program chromium, as on Debian")


@pytest.fixture(scope="module")
def page(sample, tmp_path_factory):
    sys.path.insert(0, str(Path(__file__).parents[1] / "explainer" / "viewer"))
    from viewer_tools import Browser

    with Browser(tmp_path_factory.mktemp("chromium"), width=1200) as opened:
        opened.open(write_report(sample).as_uri())
        yield opened
        assert opened.errors == []


def test_it_asks_for_nothing_but_itself(page):
    assert page.ask("performance.getEntriesByType('resource').map(each => each.name)") == []


def test_a_click_on_a_column_sorts_the_table(page):
    column = "[...document.querySelectorAll('#runs tbody tr')].slice(0, 12).map(row => row.cells[4].textContent)"
    before = page.ask(column)
    page.ask("document.querySelectorAll('#runs th button')[4].click()")
    scores = page.ask(column)
    assert scores == [*sorted(before[:10], reverse=True), "–", "–"] and scores != before
    page.ask("document.querySelectorAll('#runs th button')[4].click()")
    assert page.ask(column) == [*sorted(before[:10]), "–", "–"]


def test_nothing_sticks_out_of_a_window_or_of_paper(page):
    page.resize(500, 900)
    assert page.ask("document.documentElement.scrollWidth") <= 500
    page.send("Emulation.setEmulatedMedia", media="print")
    page.resize(720, 1000)  # about A4 between its margins
    wide = "[...document.querySelectorAll('table, svg, pre')].filter(each => each.getBoundingClientRect().right > 721)"
    assert page.ask(f"{wide}.map(each => each.closest('section').id)") == []
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.send("Emulation.setEmulatedMedia", media="")


def test_dark_is_dark(page):
    page.prefer("dark")
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    page.prefer("light")
