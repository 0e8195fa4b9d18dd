"""Meters on recordings: syllables against the sentences that were read, F0 against openSMILE's."""

import numpy as np
import pytest
import soundfile
from scipy.stats import spearmanr

from ser.cue.meters.own import NumpyMeter
from ser.cue.meters.smile import OpenSmileMeter

#: Syllables of EmoDB's sentences, counted from their texts.
SYLLABLES = {"a01": 8, "a02": 9, "a04": 11, "a05": 18, "a07": 10, "b01": 15, "b02": 20, "b03": 23, "b09": 16, "b10": 14}


@pytest.fixture
def clips(corpus_root):
    paths = sorted((corpus_root / "wav").glob("*.*"))[::12]
    return [(path.stem, *soundfile.read(path, dtype="float32")) for path in paths if path.suffix in (".wav", ".flac")]


@pytest.mark.data("emodb")
def test_syllables_of_read_sentences(clips):
    found = [NumpyMeter().measure(wave, rate) for _, wave, rate in clips]
    counted = np.array([len(tracks.segments.syllables) for tracks in found])
    true = np.array([SYLLABLES[name[2:5]] for name, _, _ in clips])
    assert 0.75 < np.mean(counted / true) < 1.1
    assert np.corrcoef(counted, true)[0, 1] > 0.8
    seconds = np.array([tracks.speech.sum() * 0.01 for tracks in found])
    assert spearmanr(counted / seconds, true / seconds).statistic > 0.5


@pytest.mark.data("emodb")
def test_f0_beside_opensmile(clips):
    apart, gross, both = [], 0, 0
    for _, wave, rate in clips:
        ours, theirs = (meter.measure(wave, rate).values["f0"] for meter in (NumpyMeter(), OpenSmileMeter()))
        known = np.isfinite(ours) & np.isfinite(theirs)
        apart.append(np.median((ours - theirs)[known]))
        gross += (np.abs(ours - theirs)[known] > 3).sum()
        both += known.sum()
    assert abs(np.median(apart)) < 0.3
    assert gross / both < 0.06
