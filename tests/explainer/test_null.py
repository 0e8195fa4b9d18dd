import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_subjects import RATE, find_peak, listen_to_spectrogram, make_explainer, make_waves

from ser.explainer.subject import Subject

CHOICES = ("random", "energy", "vad")
WAVE = Subject(("a", "b"), RATE, ask=lambda waves: waves)
SPECTROGRAM = listen_to_spectrogram(0.3)


def explain(choice, subject, inputs, **changes):
    explainer = make_explainer(choice, **changes)
    explainer.check(subject)
    return explainer.explain(subject, inputs, torch.zeros(len(inputs), dtype=torch.long))


@pytest.mark.parametrize("subject", [WAVE, SPECTROGRAM])
@pytest.mark.parametrize("choice", CHOICES)
def test_they_ask_the_model_nothing_and_treat_clips_alone(choice, subject):
    inputs = subject.encode(make_waves(3))
    found = explain(choice, subject, inputs)
    assert found.values.shape == inputs.shape and found.values.isfinite().all() and found.values.any()
    assert (found.forwards, found.backwards, found.baseline) == (0, 0, None)
    assert found.values[1:2].equal(explain(choice, subject, inputs[1:2]).values)


def test_noise_is_the_clips_own_and_follows_the_seed():
    inputs = make_waves(2)
    first, second = explain("random", WAVE, inputs).values
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.1
    assert abs(float(first.mean())) < 0.05 and abs(float(first.std()) - 1) < 0.05
    # What another batch size does to rounding changes nothing.
    assert first.equal(explain("random", WAVE, inputs[:1] * (1 + 1e-7)).values[0])
    assert not first.equal(explain("random", WAVE, inputs[:1], seed=1).values[0])


def test_smoothed_noise_is_smooth():
    inputs = SPECTROGRAM.encode(make_waves(1))

    def roughness(smooth):
        values = explain("random", SPECTROGRAM, inputs, smooth=smooth).values
        assert values.shape == inputs.shape
        return float(values.diff(dim=-1).std() / values.std())

    assert roughness(0.05) < 0.5 * roughness(0.0)
    assert explain("random", SPECTROGRAM, inputs, smooth=99.0).values.isfinite().all()


@given(when=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
@pytest.mark.parametrize("subject", [WAVE, SPECTROGRAM])
def test_energy_peaks_when_something_happens(subject, when):
    waves = torch.zeros(1, RATE)
    waves[0, round(when * RATE)] = 0.5
    inputs = subject.encode(waves)
    peak, step = find_peak(subject, inputs, explain("energy", subject, inputs))
    # The window of the spectrogram spans several of its frames.
    assert abs(peak - when) <= (step if subject is WAVE else max(step, 0.005))


@pytest.mark.parametrize("subject", [WAVE, SPECTROGRAM])
def test_voice_activity_marks_speech(subject):
    waves = 1e-4 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    waves[:, 4800:9600] += make_waves(1, seconds=0.3) * 3
    inputs = subject.encode(waves)
    found = explain("vad", subject, inputs)
    assert set(found.values.unique().tolist()) == {0.0, 1.0}
    over_time = subject.project(found.values)[0]
    active = (over_time if over_time.ndim == 1 else over_time.mean(0)) > 0
    times = torch.as_tensor(subject.find_grid(inputs).times)
    spoken = times[active]
    assert 0.28 < spoken.min() < 0.36 and 0.54 < spoken.max() < 0.63
    assert active[(times > 0.37) & (times < 0.53)].all()


def test_a_clip_of_one_level_is_all_speech():
    assert explain("vad", WAVE, torch.zeros(1, RATE)).values.eq(1).all()
    assert explain("vad", WAVE, torch.zeros(1, 100)).values.eq(1).all()


def test_what_means_nothing_is_refused():
    for choice, changes in (("random", {"smooth": -1.0}), ("vad", {"share": 1.0})):
        with pytest.raises(Exception, match=r"explainer\."):
            make_explainer(choice, **changes)
