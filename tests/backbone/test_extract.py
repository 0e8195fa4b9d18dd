import numpy as np
import pandas as pd
import pytest

from ser.audio.inspect import inspect_clips
from ser.audio.prepare import Preparation
from ser.backbone.extract import extract_features
from ser.backbone.noise import Noise


class CountingNoise(Noise):
    """Notes the length of each waveform it computes."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen = []

    def compute(self, waveform):
        self.seen.append(len(waveform))
        return super().compute(waveform)


@pytest.fixture
def frame(tmp_path, write_tone):
    paths = [write_tone(tmp_path / f"{index:02d}.wav", 200 + 10 * index, 0.05 + 0.01 * index) for index in range(12)]
    return pd.DataFrame(
        {"clip": [p.stem for p in paths], "path": [str(p) for p in paths], "start": np.nan, "end": np.nan}
    )


def extract(extractor, frame, root):
    digests = inspect_clips(frame, Preparation(), extractor.rate)["digest"].tolist()
    return extract_features(extractor, frame, digests, Preparation(), root)


def test_features_are_in_the_order_of_the_clips(frame, tmp_path):
    noise = CountingNoise(dim=5)
    features = extract(noise, frame, tmp_path / "store")
    expected = np.stack([Noise(dim=5).compute(Preparation().read(path, 16000)) for path in frame["path"]])
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, expected)
    np.testing.assert_array_equal(extract(noise, frame.iloc[::-1], tmp_path / "store"), expected[::-1])
    assert len(noise.seen) == 12


def test_the_second_time_nothing_is_computed(frame, tmp_path):
    first, second = CountingNoise(), CountingNoise()
    expected = extract(first, frame, tmp_path / "store")
    found = extract(second, frame, tmp_path / "store")
    assert len(first.seen) == 12 and second.seen == []
    np.testing.assert_array_equal(found, expected)


def test_only_what_is_new_is_computed(frame, tmp_path, write_tone):
    extract(CountingNoise(), frame.iloc[:8], tmp_path / "store")
    write_tone(tmp_path / "03.wav", 999.0, 0.2)
    again = CountingNoise()
    extract(again, frame, tmp_path / "store")
    assert sorted(again.seen) == sorted([3200, *(round(16000 * (0.05 + 0.01 * i)) for i in range(8, 12))])


def test_clips_alike_are_computed_once(frame, tmp_path):
    noise = CountingNoise()
    double = pd.concat([frame, frame.assign(clip=frame["clip"] + "again")], ignore_index=True)
    features = extract(noise, double, tmp_path / "store")
    assert len(noise.seen) == 12
    np.testing.assert_array_equal(features[:12], features[12:])


def test_another_parameter_is_computed_anew(frame, tmp_path):
    one = extract(Noise(seed=0), frame, tmp_path / "store")
    other = CountingNoise(seed=1)
    assert not np.allclose(one, extract(other, frame, tmp_path / "store"))
    assert len(other.seen) == 12


def test_cuts_are_read_where_they_lie(frame, tmp_path):
    noise = CountingNoise()
    cut = frame.iloc[[11]].assign(start=0.01, end=0.03)
    extract(noise, cut, tmp_path / "store")
    assert noise.seen == [320]


def test_an_error_of_the_extractor_reaches_the_caller_and_the_rest_can_go_on(frame, tmp_path):
    class Broken(CountingNoise):
        def compute(self, waveform):
            if len(waveform) == 1120:
                raise RuntimeError("cannot compute this one")
            return super().compute(waveform)

    with pytest.raises(RuntimeError, match="cannot compute this one"):
        extract(Broken(), frame, tmp_path / "store")
    assert extract(CountingNoise(), frame, tmp_path / "store").shape == (12, 88)


def test_noise_depends_on_content_and_seed_alone():
    waveform = np.linspace(-1, 1, 800, dtype=np.float32)
    noise = Noise(dim=4000).compute(waveform)
    np.testing.assert_array_equal(noise, Noise(dim=4000).compute(waveform.copy()))
    assert abs(noise.mean()) < 0.1 and noise.std() == pytest.approx(1, abs=0.06)
    assert abs(np.corrcoef(noise, Noise(dim=4000, seed=1).compute(waveform))[0, 1]) < 0.1
    assert abs(np.corrcoef(noise, Noise(dim=4000).compute(waveform[:-1]))[0, 1]) < 0.1
