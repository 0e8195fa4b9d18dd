from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ser.backbone.functionals import Functionals
from ser.errors import InputError


@pytest.fixture(scope="module")
def egemaps():
    return Functionals()


def make_buzz(f0, seconds=1.0, rate=16000, level=0.1):
    """A harmonic tone with falling partials: a voice without formants."""
    time = np.arange(round(seconds * rate)) / rate
    partials = range(1, int(4000 // f0))
    return (level * sum(np.sin(2 * np.pi * f0 * k * time) / k for k in partials)).astype(np.float32)


def get(extractor, waveform, name):
    return dict(zip(extractor.names, extractor.compute(waveform), strict=True))[name]


def test_egemaps_has_88_named_functionals(egemaps):
    vector = egemaps.compute(make_buzz(120))
    assert len(egemaps.names) == len(set(egemaps.names)) == 88
    assert vector.shape == (88,) and vector.dtype == np.float32 and np.isfinite(vector).all()
    assert egemaps.names[0] == "F0semitoneFrom27.5Hz_sma3nz_amean"


@pytest.mark.parametrize("f0", [110.0, 220.0])
def test_pitch_of_a_buzz(egemaps, f0):
    semitones = 12 * np.log2(f0 / 27.5)
    assert get(egemaps, make_buzz(f0), "F0semitoneFrom27.5Hz_sma3nz_amean") == pytest.approx(semitones, abs=0.3)


def test_a_louder_buzz_is_louder_and_no_higher(egemaps):
    quiet, loud = make_buzz(150, level=0.02), make_buzz(150, level=0.2)
    assert get(egemaps, loud, "loudness_sma3_amean") > 1.5 * get(egemaps, quiet, "loudness_sma3_amean")
    name = "equivalentSoundLevel_dBp"
    assert get(egemaps, loud, name) - get(egemaps, quiet, name) == pytest.approx(20, abs=0.5)


def test_the_same_from_any_thread(egemaps):
    waves = [make_buzz(f0, 0.5) for f0 in (100, 140, 180, 220, 260, 300)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(egemaps.compute, waves))
    for wave, vector in zip(waves, together, strict=True):
        np.testing.assert_array_equal(vector, egemaps.compute(wave))


def test_identity_tells_sets_and_rates_apart():
    identities = [
        Functionals(*options).identify() for options in (("eGeMAPSv02",), ("ComParE_2016",), ("eGeMAPSv02", 8000))
    ]
    assert all(a != b for index, a in enumerate(identities) for b in identities[index + 1 :])
    assert identities[0]["version"]


def test_an_unknown_set_names_those_there_are():
    with pytest.raises(InputError, match=r"(?s)backbone.feature_set='eGeMAPS2'.*eGeMAPSv02.*"):
        Functionals("eGeMAPS2").compute(make_buzz(120))
