"""The page without a browser: what it holds is what it was given, escaped, and not too much of it."""

from __future__ import annotations

import base64
import io
import re
from html import unescape

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from viewer_tools import RATE, decode_map, give_axes, make_attribution, make_clip, read_data

from ser.errors import InputError
from ser.explainer.viewer import CueLine, write_viewer
from ser.explainer.viewer.maps import pack_maps, trace_curve
from ser.explainer.viewer.page import choose_marks
from ser.explainer.viewer.sound import BANDS, compute_log_mel, encode_png, to_mel


def write(tmp_path, *clips, notes=()):
    return write_viewer(tmp_path / "page.html", "Clips", clips, notes).read_text(encoding="utf-8")


def read_uris(page, kind):
    return [base64.b64decode(text) for text in re.findall(rf'src="data:{kind};base64,([^"]+)"', page)]


def test_maps_come_back_within_one_percent(tmp_path):
    clips = [make_clip("a", seed=1), make_clip("b", seed=2)]
    for data, clip in zip(read_data(write(tmp_path, *clips)), clips, strict=True):
        assert (data["clip"], data["start"], data["seconds"]) == (clip.clip, 0.25, 1.0)
        assert list(data["maps"]) == ["segments", "lrp"]
        for method, packed in data["maps"].items():
            given = clip.attributions[method]
            values = np.atleast_2d(given.values)
            np.testing.assert_allclose(decode_map(packed), values, atol=0.01 * np.abs(values).max())
            middles = (np.array(packed["times"][1:]) + np.array(packed["times"][:-1])) / 2
            np.testing.assert_allclose(middles, given.times, atol=1e-3)
            assert (packed["times"][0], packed["times"][-1]) == (0.25, 1.25)
            assert not packed["pooled"]
        assert data["maps"]["segments"]["freqs"] is None
        bands = data["maps"]["lrp"]["freqs"]
        assert all(
            low < freq < high for low, freq, high in zip(bands, clip.attributions["lrp"].freqs, bands[1:], strict=False)
        )


def test_audio_comes_back(tmp_path):
    clip = make_clip()
    (audio,) = read_uris(write(tmp_path, clip), "audio/wav")
    samples, rate = soundfile.read(io.BytesIO(audio), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(samples, clip.waveform, atol=0.01 * np.abs(clip.waveform).max())


def test_the_spectrogram_shows_a_tone_where_it_is(tmp_path):
    import matplotlib.image

    time = np.arange(RATE) / RATE
    wave = (0.5 * np.sin(2 * np.pi * 2000 * time) * (time >= 0.5)).astype(np.float32)
    (png,) = read_uris(write(tmp_path, make_clip(waveform=wave)), "image/png")
    picture = matplotlib.image.imread(io.BytesIO(png), format="png")
    assert picture.shape == (BANDS, 100)
    assert picture[:, :48].min() == 1  # silence is white
    row = np.argmin(picture[:, 60:95].mean(1))
    assert abs((1 - (row + 0.5) / BANDS) - to_mel(2000) / to_mel(8000)) < 1 / BANDS


def test_a_png_holds_its_pixels():
    import matplotlib.image

    grey = np.random.default_rng(0).integers(0, 256, (7, 13), dtype=np.uint8)
    found = matplotlib.image.imread(io.BytesIO(encode_png(grey)), format="png")
    np.testing.assert_array_equal(np.round(found * 255), grey)


@pytest.mark.parametrize(("rate", "samples"), [(8000, 4001), (22050, 333), (44100, 44100), (16000, 1)])
def test_spectrograms_of_other_rates_and_short_clips(rate, samples):
    found = compute_log_mel(np.ones(samples, dtype=np.float32), rate)
    assert found.shape == (BANDS, max(1, round(samples / rate * 100)))
    assert np.isfinite(found).all()


def test_names_and_texts_are_escaped(tmp_path):
    evil = "</script><script>document.title='gone'</script>"
    values = np.ones(4)
    clip = make_clip(
        evil,
        speaker=evil,
        sentence=evil,
        attributions={
            evil: make_attribution(evil, evil, values),
            "bad": make_attribution(evil, "bad", values, reasons=[evil]),
        },
        cues=[CueLine(evil, 1.0, 1.0, 0.01, evil)],
        scores={evil: {evil: 1.0}},
        regions={evil: [(0.3, 0.4)]},
    )
    page = write(tmp_path, clip, notes=[evil])
    assert evil not in page and "<script>document.title" not in page
    assert page.count("<script") == page.count("</script>") == 5
    assert read_data(page)[0]["clip"] == evil
    assert read_data(page)[0]["invalid"] == {"bad": [evil]}


def test_the_page_needs_nothing_else(tmp_path):
    page = write(tmp_path, make_clip())
    assert "://" not in page
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)"', page))
    assert write(tmp_path, make_clip()) == page


def test_what_is_not_valid_is_named_not_drawn(tmp_path):
    page = write(tmp_path, make_clip(), make_clip("other", attributions={"lrp": make_clip().attributions["lrp"]}))
    assert "saliency" not in read_data(page)[0]["maps"]
    lanes = re.findall(r'data-method="(\w+)"><span class="label">.*?<div class="panel">(.*?)</div>', page)
    first = dict(lanes[:3])
    assert unescape(first["saliency"]).count("not valid: values are not finite; <b>no</b> & never") == 1
    assert "<svg" not in first["saliency"] and "<svg" in first["lrp"]
    assert "not computed" in dict(lanes[3:])["segments"]


def test_regions_and_spans_lie_on_the_axis_of_the_file(tmp_path):
    page = write(tmp_path, make_clip())
    assert re.search(r'class="planted" style="left:20.0%;width:20.0%" title="planted: 0.45–0.65 s"', page)
    assert re.search(r'class="decoy" style="left:60.0%;width:15.0%"', page)
    assert '<rect class="region" x="200.0" width="100.0"' in page
    assert read_data(page)[0]["regions"]["lrp"] == [[0.45, 0.55], [0.85, 0.95]]
    marks = re.findall(r'<span style="left:([\d.]+)%">([\d.]+)</span>', page)
    assert marks[:2] == [("15.00", "0.4"), ("35.00", "0.6")]


def test_words_of_a_cue():
    assert CueLine("f0", 1.2, 1.0, 0.01, "").verdict == "higher ✓ agrees"
    assert CueLine("f0", 1.2, -2.0, 0.01, "").verdict == "lower ✗ disagrees"
    assert CueLine("f0", 1.2, -2.0, 0.2, "").verdict == "lower"
    assert CueLine("f0", 1.2, None, 0.01, "").verdict == "nothing agreed"
    assert CueLine("f0", 1.2, 0.0, None, "").verdict == "no change"


def test_sixty_clips_of_three_seconds_stay_below_fifteen_megabytes(tmp_path):
    draw = np.random.default_rng(0)
    maps = {f"method{n}": make_attribution("a", f"method{n}", draw.normal(size=(80, 300)), 0, 3) for n in range(15)}
    clip = make_clip("a", seconds=3, offset=0, attributions=maps, regions={}, scores={})
    assert len(write(tmp_path, *[clip] * 60)) <= 15e6


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 130), st.integers(1, 400), st.integers(1, 6), st.integers(100, 100_000))
def test_what_is_added_up_keeps_its_sum_and_its_ends(bands, frames, methods, limit):
    draw = np.random.default_rng(bands * frames)
    maps = {
        str(n): make_attribution("a", str(n), draw.uniform(0.5, 1, (bands, frames)), 1.0, 2.0) for n in range(methods)
    }
    packed, axes = pack_maps(maps, limit)
    give_axes(packed, axes)
    cells = 0
    for name, one in maps.items():
        values = decode_map(packed[name])
        cells += values.size
        assert values.sum() == pytest.approx(one.values.sum(), rel=0.01)
        assert packed[name]["times"][0] == pytest.approx(1.0, abs=1e-3)
        assert packed[name]["times"][-1] == pytest.approx(3.0, abs=1e-3)
        assert packed[name]["pooled"] == (values.size < one.values.size)
    assert cells <= limit


def test_curves_show_both_signs():
    path = trace_curve(make_attribution("a", "m", np.array([1.0, 0, -0.5, -0.5]), 2.0, 4.0), 2.0, 4.0)
    assert path == "M0 50h0v-48h250v48h250v24h500V50Z"


def test_marks_are_round_and_few():
    assert choose_marks(0.25, 1.0) == [0.4, 0.6, 0.8, 1.0, 1.2]
    assert choose_marks(0.0, 0.05) == [0.0]
    for seconds in (0.3, 1.7, 12, 130, 4000):
        assert 1 <= len(choose_marks(7.3, seconds)) <= 11


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros((2, 8)), np.array([0.0, np.nan])])
def test_waveforms_that_cannot_be_shown_are_refused(wave):
    with pytest.raises(InputError, match="cannot be shown"):
        make_clip(waveform=wave.astype(np.float32))


def test_a_valid_map_must_be_finite():
    broken = make_attribution("a", "lrp", np.array([1.0, np.inf]))
    with pytest.raises(InputError, match="lrp are not finite"):
        make_clip(attributions={"lrp": broken})


def test_a_page_needs_a_clip(tmp_path):
    with pytest.raises(InputError, match="at least one clip"):
        write_viewer(tmp_path / "page.html", "none", [])


def test_a_clip_may_come_with_nothing_but_its_sound(tmp_path):
    bare = make_clip(attributions={}, regions={}, cues=[], sentence="", span=None, decoy=None, scores={})
    page = write(tmp_path, bare)
    assert read_data(page)[0]["maps"] == {}
    assert "Scores of this clip" not in page and "Cues in" not in page and "Planted" not in page
