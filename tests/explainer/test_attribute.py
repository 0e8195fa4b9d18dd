"""Attributions lie on the file's time axis, are checked, and survive saving."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from ser.audio.prepare import Preparation
from ser.audio.trim import EnergyTrim
from ser.explainer.attribute import explain_clips
from ser.explainer.attribution import load_attributions, save_attributions
from ser.explainer.base import Relevance, margin
from ser.explainer.clip import Clip
from ser.explainer.subject import Subject

RATE = 1000


class Ear(nn.Module):
    """Hears the energy of the first and of the second half of a waveform."""

    def forward(self, waveforms):
        return torch.stack([half.square().mean(1) for half in waveforms.chunk(2, dim=1)], dim=1)


@dataclass
class Energy:
    """Relevance is the energy of samples, times a factor."""

    factor: float = 1.0
    baseline: bool = False

    def check(self, subject):
        pass

    def explain(self, subject, inputs, classes):
        values = inputs.square() * self.factor
        scores = margin(subject.score(inputs), classes)
        return Relevance(
            values, baseline=scores - values.sum(1) / self.factor if self.baseline else None, forwards=len(inputs)
        )


@pytest.fixture
def subject():
    return Subject(("calm", "loud"), RATE, network=Ear())


def make_clip(subject, name, samples=100, at=50, offset=0.0):
    wave = torch.zeros(1, samples)
    wave[0, at] = 1.0
    return Clip(name, "toy", "s", "calm", "loud", subject.encode(wave), torch.tensor([1]), wave[0].numpy(), offset, {})


def test_margin_is_the_logit_against_all_others():
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    expected = 2.0 - np.log(np.exp(1.0) + np.exp(0.5))
    assert margin(logits, torch.tensor([1])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 0.2, -0.05])
def test_relevance_lies_where_the_sound_is_in_the_file(subject, offset):
    """Leading silence of 0.2 s was trimmed, say: an impulse 0.05 s into what is left is at 0.25 s in the file."""
    [one] = explain_clips(subject, Energy(), [make_clip(subject, "a", at=52, offset=offset)], "energy", 0.05)
    assert one.times[one.over_time().argmax()] == pytest.approx(0.052 + offset, abs=one.step / 2)


def test_order_of_clips_is_kept_whatever_their_lengths(subject):
    clips = [make_clip(subject, str(number), samples) for number, samples in enumerate((100, 60, 100, 80, 60))]
    found = explain_clips(subject, Energy(), clips, "energy", 0.05, max_batch=2)
    assert [one.clip for one in found] == list("01234")
    assert [len(one.times) for one in found] == [10, 6, 10, 8, 6]
    assert all(one.values.sum() == pytest.approx(1.0) for one in found)


@pytest.mark.parametrize(("factor", "words"), [(0.0, "nothing has"), (np.nan, "not finite"), (1.5, "by 50 %")])
def test_maps_that_say_nothing_or_miss_their_margin_are_marked(subject, factor, words):
    explainer = Energy(factor, baseline=True)
    explainer.explain(subject, torch.ones(1, 100), torch.tensor([1]))
    clip = make_clip(subject, "a")
    if factor != factor or factor == 0:
        explainer.baseline = False
    [one] = explain_clips(subject, explainer, [clip], "energy", 0.05)
    assert not one.valid and words in one.reasons[0] and len(one.reasons) == 1


def test_what_an_explainer_says_of_its_map_is_not_said_twice(subject):
    class Stubborn(Energy):
        def explain(self, subject, inputs, classes):
            return replace(super().explain(subject, inputs, classes), reasons=[["steps ran out"]] * len(inputs))

    [one] = explain_clips(subject, Stubborn(1.5, baseline=True), [make_clip(subject, "a")], "energy", 0.05)
    assert one.reasons == ("steps ran out",) and one.delta == pytest.approx(0.5)


def test_saved_attributions_are_read_again(subject, tmp_path):
    found = explain_clips(subject, Energy(), [make_clip(subject, "a"), make_clip(subject, "b/c", 60)], "energy", 0.05)
    save_attributions(found, tmp_path / "attributions.npz")
    records = json.loads(json.dumps([one.describe() for one in found]))
    assert {"clip", "method", "valid", "prediction", "target", "times"} <= set(records[0])
    again = load_attributions(records, tmp_path / "attributions.npz")
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_allclose(one.times, other.times)
        assert one.describe() == other.describe()


@pytest.mark.parametrize("rate", [16000, 24000])
def test_a_file_that_is_trimmed_and_resampled_is_explained_on_its_own_time_axis(subject, tmp_path, rate):
    """0.2 s and more of leading silence are cut off: a map on the trimmed axis would point 0.2 s too early."""
    moment, seconds = 0.62, 1.2
    wave = np.zeros(round(seconds * rate), dtype=np.float32)
    wave[round(0.35 * rate) : round(1.0 * rate)] = 0.05 * np.random.default_rng(0).standard_normal(round(0.65 * rate))
    wave[round(moment * rate) : round((moment + 0.004) * rate)] = 0.9
    soundfile.write(tmp_path / "late.wav", wave, rate)
    preparation = Preparation(trim=EnergyTrim(threshold=-40.0, reference="peak", frame=0.025, hop=0.01, margin=0.05))
    heard = preparation.prepare(tmp_path / "late.wav", 8000)
    assert heard.offset > 0.2
    listener = Subject(("calm", "loud"), 8000, network=Ear())
    inputs = listener.encode(torch.from_numpy(heard.waveform)[None])
    clip = Clip("late", "toy", "s", "calm", "loud", inputs, torch.tensor([1]), heard.waveform, heard.offset, {})
    [one] = explain_clips(listener, Energy(), [clip], "energy", 0.05)
    assert one.times[one.over_time().argmax()] == pytest.approx(moment, abs=one.step)
