"""The page in headless Chromium: clicks, keys, sound and what they change."""

from __future__ import annotations

import shutil

import pytest
from viewer_tools import Browser, make_clip

from ser.explainer.viewer import write_viewer

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the program chromium, as on Debian")

EVIL = "<script>document.title='gone'</script>"
NAME = "document.querySelector('article.open h2').textContent"
OVERLAY = "document.querySelector('article.open canvas').toDataURL()"
CURSOR = "Number(document.querySelector('article.open').style.getPropertyValue('--at'))"
CURVE = "document.querySelector('article.open .chosen-curve .panel').innerHTML"
COUNT = "document.querySelector('#count').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
        assert opened.errors == []


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    clips = [
        make_clip("first", seed=1, sentence="anger: louder"),
        make_clip("second", true="sadness", speaker="08", seed=2, sentence="sadness: softer"),
        make_clip(EVIL, predicted="fear", seed=3, sentence="fear: higher"),
    ]
    path = write_viewer(tmp_path_factory.mktemp("page") / "page.html", "Clips", clips, [EVIL])
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    browser.prefer("light")
    browser.open("about:blank")
    browser.open(address)
    return browser


def choose_filter(page, name, value):
    select = f"document.querySelector('[name={name}]')"
    page.ask(f"{select}.value = {value!r}; {select}.dispatchEvent(new Event('change', {{bubbles: true}}))")


def test_the_first_clip_is_open_with_its_first_valid_map(page):
    assert page.ask(NAME) == "first"
    assert page.ask("document.querySelectorAll('article').length") == 3
    shown = "[...document.querySelectorAll('article')].filter(each => getComputedStyle(each).display !== 'none').length"
    assert page.ask(shown) == 1
    assert page.ask("document.querySelector('select.method').value") == "lrp"
    assert page.ask("document.title") == "Clips – ser explanations"


def test_a_click_opens_a_clip(page):
    page.click("tr[data-name=second] button")
    assert page.ask(NAME) == "second"
    assert page.ask("document.querySelector('[aria-current=true]').textContent") == "second"
    assert "clip=second" in page.ask("location.hash")


def test_play_moves_the_cursor_and_stops_at_the_end(page):
    assert page.ask(CURSOR) == 0
    page.click("button.play")
    page.wait(f"{CURSOR} > 0.1")
    assert "Pause" in page.ask("document.querySelector('button.play').textContent")
    seen = page.ask(CURSOR)
    page.wait(f"{CURSOR} > {seen}")
    page.wait(f"open.audio.ended && {CURSOR} > 0.97")
    assert "Play" in page.ask("document.querySelector('button.play').textContent")
    assert page.ask("document.querySelector('output.time').textContent") == "1.25 s of 0.25–1.25 s"


def test_a_click_on_the_picture_seeks(page):
    page.click("article.open .veil", across=0.75)
    assert page.ask(CURSOR) == pytest.approx(0.75, abs=0.01)
    assert page.ask("document.querySelector('output.time').textContent").startswith("1.00 s")
    page.wait("open.audio.readyState >= 2 && !open.audio.seeking")
    assert page.ask("open.audio.currentTime") == pytest.approx(0.75, abs=0.01)
    page.press("ArrowLeft")
    assert page.ask(CURSOR) == pytest.approx(0.65, abs=0.01)


def test_a_number_switches_the_overlay(page):
    before, curve = page.ask(OVERLAY), page.ask(CURVE)
    page.press("2")
    assert page.ask("document.querySelector('select.method').value") == "segments"
    assert page.ask(OVERLAY) != before
    assert page.ask(CURVE) != curve
    assert page.ask("document.querySelector('.lane.open').dataset.method") == "segments"
    page.press("[")
    assert page.ask(OVERLAY) == before
    page.click("article.open .lane[data-method=segments]")
    assert page.ask("open.method") == "segments"


def test_the_overlay_shows_the_values_where_they_are(page):
    """Middle of every cell of the map: colour of its sign, opaque by its size."""
    misses = page.ask("""(() => {
      const map = open.data.maps.lrp, frames = map.times.length - 1, bands = map.freqs.length - 1;
      const context = document.querySelector('canvas').getContext('2d'), values = decodeMap(map), misses = [];
      for (let band = 0; band < bands; band++) for (let frame = 0; frame < frames; frame++) {
        const second = (map.times[frame] + map.times[frame + 1]) / 2;
        const mel = toMel((map.freqs[band] + map.freqs[band + 1]) / 2);
        const x = Math.floor((second - open.data.start) / open.data.seconds * WIDTH);
        const y = Math.floor((1 - mel / toMel(8000)) * HEIGHT);
        const [red, , blue, opaque] = context.getImageData(x, y, 1, 1).data;
        const value = values[band * frames + frame], wanted = 255 * Math.min(1, Math.abs(value) / map.full);
        const wrong = opaque > 40 && (red > blue) !== (value > 0);
        if (wrong || Math.abs(opaque - wanted) > 1.5) misses.push([band, frame]);
      }
      return misses.length;
    })()""")
    assert misses == 0


def test_a_map_that_is_not_valid_is_named(page):
    page.press("3")
    assert page.ask("document.querySelector('.readout').textContent") == (
        "saliency is not drawn: not valid: values are not finite; <b>no</b> & never"
    )
    pixels = "document.querySelector('canvas').getContext('2d').getImageData(0, 0, 1000, 240).data"
    assert not page.ask(f"{pixels}.some(value => value)")


def test_regions_are_bands_and_can_be_played_alone(page):
    places = "[...document.querySelectorAll('.band')].map(band => [band.style.left, band.style.width])"
    assert page.ask(places) == [["20%", "10%"], ["60%", "10%"]]
    page.press("r")
    page.wait(f"{CURSOR} >= 0.2 && !open.audio.paused")
    page.wait("open.audio.paused")
    assert 0.69 < page.ask(CURSOR) < 0.9
    page.press("2")
    assert page.ask("document.querySelector('button.regions').disabled")


def test_keys_walk_the_list_as_sorted_and_filtered(page):
    page.press("j")
    assert page.ask(NAME) == "second"
    page.press("ArrowUp")
    assert page.ask(NAME) == "first"
    page.click("#list th:nth-child(2) button")
    page.click("#list th:nth-child(2) button")  # by emotion, from Z
    page.press("k")
    assert page.ask(NAME) == "second"
    choose_filter(page, "result", "correct")
    assert (page.ask(COUNT), page.ask(NAME)) == ("1 clip, 1 correct", "first")
    page.press("j")
    assert page.ask(NAME) == "first"
    choose_filter(page, "speaker", "08")
    assert page.ask(COUNT) == "no clip is like that"


def test_space_plays_wherever_the_focus_is_in_the_list(page):
    page.click("tr[data-name=second] button")
    page.press(" ")
    page.wait(f"{CURSOR} > 0.02")
    page.press(" ")
    page.wait("open.audio.paused")
    assert page.ask(NAME) == "second"


def test_the_opacity_slider_fades_the_overlay(page):
    page.press("-")
    assert page.ask("document.querySelector('canvas').style.opacity") == "0.7"


def test_names_are_text_not_markup(page):
    page.click("#list tbody tr:nth-child(3) button")
    assert page.ask(NAME) == EVIL
    assert page.ask("document.title") == "Clips – ser explanations"
    place = page.ask("location.href")
    page.open("about:blank")
    page.open(place)
    assert page.ask(NAME) == EVIL


def test_print_shows_every_clip_with_its_sentence_and_picture(page):
    page.send("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('{}')].filter(each => each.getClientRects().length)"
    visible = shown + ".map(each => each.textContent)"
    assert page.ask(visible.format("article .lead")) == ["anger: louder", "sadness: softer", "fear: higher"]
    assert len(page.ask(visible.format(".spectrum img"))) == 3
    assert page.ask(visible.format(".tools, .veil, audio, #filters, canvas")) == []
    page.send("Emulation.setEmulatedMedia", media="")


def test_without_scripts_all_is_shown(page, address):
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    page.open("about:blank")
    page.open(address)
    try:
        root = page.send("DOM.getDocument")["root"]["nodeId"]
        nodes = page.send("DOM.querySelectorAll", nodeId=root, selector="article")["nodeIds"]
        heights = [page.send("DOM.getBoxModel", nodeId=node)["model"]["height"] for node in nodes]
        assert len(heights) == 3 and min(heights) > 300
    finally:
        page.send("Emulation.setScriptExecutionDisabled", value=False)


def test_nothing_sticks_out_of_a_narrow_window(page):
    page.resize(500, 900)
    assert page.ask("document.documentElement.scrollWidth") <= 500
    page.resize(1400, 1000)
