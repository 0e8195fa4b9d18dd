import sys

import numpy as np
import pytest

from ser.cue.meters.own import NumpyMeter
from ser.cue.meters.praat import PraatMeter
from ser.cue.meters.smile import OpenSmileMeter, shift
from ser.cue.tracks import DESCRIPTORS
from ser.errors import InputError

RATE = 16000


@pytest.fixture(scope="module")
def glide():
    seconds = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(100 + 50 * seconds) / RATE
    swell = np.exp(-0.5 * ((seconds - 1) / 0.15) ** 2) + 0.02
    return (0.1 * swell * sum(np.cos(k * phase) / k for k in range(1, 15))).astype(np.float32)


def test_opensmile_lies_on_our_time_axis(glide):
    theirs, ours = OpenSmileMeter().measure(glide, RATE), NumpyMeter().measure(glide, RATE)
    assert theirs.times.shape == ours.times.shape
    both = theirs.voiced & ours.voiced
    hertz = 27.5 * 2 ** (theirs.values["f0"] / 12)
    assert abs(np.median(((hertz - 100) / 50 - theirs.times)[both])) < 0.006


@pytest.mark.parametrize("meter", [OpenSmileMeter(), NumpyMeter()])
def test_a_swell_is_loudest_in_its_middle(meter):
    seconds = np.arange(2 * RATE) / RATE
    swell = np.exp(-0.5 * ((seconds - 1) / 0.15) ** 2)
    tracks = meter.measure((0.02 * swell * sum(np.cos(2 * np.pi * 150 * k * seconds) for k in range(1, 9))), RATE)
    loudness = np.nan_to_num(tracks.values["loudness"])
    loudness = loudness - loudness.min()
    assert loudness @ tracks.times / loudness.sum() == pytest.approx(1.0, abs=0.004)


def test_opensmile_zeros_of_unvoiced_frames_are_missing(glide):
    wave = np.concatenate([glide, np.zeros(RATE, np.float32)])
    tracks = OpenSmileMeter().measure(wave, RATE)
    assert set(tracks.values) == set(DESCRIPTORS)
    for name in ("f0", "hnr", "jitter", "shimmer", "f1"):
        assert np.isnan(tracks.values[name][tracks.times > 2.1]).all(), name
        assert not (tracks.values[name] == 0).any(), name


def test_a_short_clip_passes_opensmile():
    assert len(OpenSmileMeter().measure(np.zeros(300, np.float32), RATE).times) == 1


def test_half_a_row_between_a_value_and_a_missing_one():
    assert np.allclose(shift(np.array([1.0, 3.0, np.nan]), 0.5, 4), [1.0, 2.0, 3.0, np.nan], equal_nan=True)
    assert np.allclose(shift(np.array([1.0, 2.0]), 1.0, 3), [np.nan, 1.0, 2.0], equal_nan=True)


def test_praat_that_is_missing_says_what_to_do(monkeypatch, glide):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(InputError, match="pip install praat-parselmouth"):
        PraatMeter().measure(glide, RATE)


def test_praat_agrees_with_ours(glide):
    pytest.importorskip("parselmouth")
    theirs, ours = PraatMeter().measure(glide, RATE), NumpyMeter().measure(glide, RATE)
    both = theirs.voiced & ours.voiced
    assert (theirs.voiced == ours.voiced).mean() > 0.95
    assert abs(np.nanmedian((theirs.values["f0"] - ours.values["f0"])[both])) < 0.1


def test_importing_the_meters_imports_no_foreign_one():
    import subprocess

    code = "import sys, ser.cue.meters.praat, ser.cue.meters.smile, ser.cue.link; " + (
        "sys.exit(bool({'parselmouth', 'opensmile', 'torch', 'pyworld'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
