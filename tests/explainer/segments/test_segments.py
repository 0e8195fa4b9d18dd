import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from ser.backbone.mel_cnn import MelCNN
from ser.config import compose
from ser.errors import InputError
from ser.explainer.base import Explainer, margin
from ser.explainer.segments.estimators import Banzhaf, KernelShap, LeaveOneOut, Lime, Rise
from ser.explainer.segments.explain import Segments
from ser.explainer.segments.units import FixedLength, MelBands, Stretches, Syllables, Words
from ser.explainer.subject import Subject

RATE = 16000
ESTIMATORS = [LeaveOneOut(), KernelShap(), Lime(), Banzhaf(), Rise()]


def listen_late(waveforms):
    """Log probabilities of a model of no network: the louder the second half, the likelier the first class."""
    level = np.square(waveforms[:, waveforms.shape[1] // 2 :]).mean(1)
    logits = np.stack([8 * level, 1 - level], 1)
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


class LowBands(nn.Module):
    """Listens to the eight lowest bands, from frame 20 on."""

    def forward(self, mel):
        level = mel[:, :8, 20:].mean((1, 2)) / 10
        return torch.stack([level, -level], -1)


@pytest.fixture
def hears():
    return Subject(("high", "low"), RATE, ask=listen_late)


@pytest.fixture(scope="module")
def sees():
    return Subject(("high", "low"), RATE, network=LowBands(), trunk=MelCNN(mels=32, width=2).build())


@pytest.fixture(scope="module")
def noise():
    return torch.randn(2, 8000 * 2, generator=torch.Generator().manual_seed(0)) * 0.5


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_a_callable_is_explained_by_what_it_hears(hears, noise, estimator):
    explainer = Segments(FixedLength(0.125), estimator, fill="silence")
    explainer.check(hears)
    classes = torch.tensor([0, 1])
    found = explainer.explain(hears, noise, classes)
    assert found.values.shape == (2, 100) and found.grid.freqs is None and found.reasons == [[], []]
    np.testing.assert_allclose(found.grid.times, hears.find_grid(noise).times)
    late = found.values[:, 50:].sum(1)
    assert late[0] > 0 > late[1]
    # All but nothing: where the fade into a removed second half begins depends on the last segment before it.
    assert (found.values[:, :50].abs().sum(1) < 0.02 * late.abs()).all()
    assert found.extras["segments"].unique().tolist() == list(range(8))


def test_shapley_values_sum_to_the_margin(hears, noise):
    classes = torch.tensor([0, 1])
    found = Segments(FixedLength(), KernelShap(), masks=80).explain(hears, noise, classes)
    difference = margin(hears.score(noise), classes) - found.baseline
    torch.testing.assert_close(found.values.sum(1), difference, atol=1e-4, rtol=1e-4)
    assert found.forwards == 2 * 80
    assert Segments(FixedLength(), Lime(), masks=80).explain(hears, noise, classes).baseline is None


def test_estimators_ask_the_same_questions(hears, noise):
    banks = [Segments(FixedLength(), one, masks=90).ask(hears, noise[:1], torch.tensor([0])) for one in ESTIMATORS[1:]]
    assert all(torch.equal(bank.keep, banks[0].keep) for bank in banks)
    assert all(torch.equal(bank.margins, banks[0].margins) for bank in banks)
    few = Segments(FixedLength(), LeaveOneOut(), masks=90).ask(hears, noise[:1], torch.tensor([0]))
    assert len(few.keep) == 11


def test_a_clip_does_not_depend_on_its_batch(sees, noise):
    explainer = Segments(FixedLength(), KernelShap(), masks=64)
    inputs = sees.encode(noise)
    together = explainer.explain(sees, inputs, torch.tensor([0, 1])).values
    alone = explainer.explain(sees, inputs[1:], torch.tensor([1])).values
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


def test_time_on_spectrograms(sees, noise):
    inputs = sees.encode(noise)
    found = Segments(FixedLength(0.15), KernelShap(), fill="silence").explain(sees, inputs, torch.tensor([0, 0]))
    assert found.values.shape == (2, inputs.shape[-1]) and found.grid.freqs is None
    assert (found.values[:, :20].abs() < 1e-4).all() and (found.values[:, 20:60] > 0).all()


def test_bands_on_spectrograms(sees, noise):
    inputs = sees.encode(noise)
    found = Segments(MelBands(4), KernelShap(), fill="silence").explain(sees, inputs, torch.tensor([0, 0]))
    assert found.values.shape == inputs.shape and found.grid.freqs is not None
    low = found.values[:, :8].sum((1, 2))
    torch.testing.assert_close(low, found.values.sum((1, 2)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.values[:, 0, 0], low / (8 * inputs.shape[-1]))


@pytest.mark.parametrize("unit", [Stretches(), Syllables()])
def test_segments_that_differ_from_clip_to_clip(sees, hears, noise, unit):
    waveforms = noise * torch.stack([torch.linspace(0, 1, 16000).square(), (torch.arange(16000) // 3000) % 2.0])
    for subject in (sees, hears):
        inputs = subject.encode(waveforms)
        found = Segments(unit, KernelShap(), masks=64).explain(subject, inputs, torch.tensor([0, 0]))
        assert found.values.shape == (2, len(subject.find_grid(inputs).times)) == found.extras["segments"].shape
        difference = margin(subject.score(inputs), torch.tensor([0, 0])) - found.baseline
        torch.testing.assert_close(found.values.sum(1), difference, atol=1e-3, rtol=1e-3)


def test_words_come_from_outside(hears, noise):
    explainer = Segments(Words(), LeaveOneOut(), fill="silence")
    found = explainer.explain(hears, noise[:1], torch.tensor([0]), marks=[[(0.2, 0.4), (0.6, 0.8)]])
    steps = found.values[0].diff().abs() > 1e-4
    assert steps.nonzero().flatten().tolist() == [59, 79] or steps.nonzero().flatten().tolist() == [39, 59, 79]
    with pytest.raises(InputError, match="words"):
        explainer.explain(hears, noise[:1], torch.tensor([0]))


def test_a_clip_of_one_segment_explains_nothing(hears, noise):
    found = Segments(FixedLength(5.0), KernelShap()).explain(hears, noise, torch.tensor([0, 0]))
    assert found.reasons == [["the whole clip is one segment"]] * 2 and found.forwards == 4


@pytest.mark.parametrize(
    ("choice", "estimator"),
    [("segments", KernelShap), ("segments_loo", LeaveOneOut), ("lime", Lime), ("rise", Rise), ("banzhaf", Banzhaf)],
)
def test_choices(choice, estimator):
    explainer: Explainer = instantiate(compose([f"explainer={choice}"], stage="explain").explainer)
    assert isinstance(explainer, Segments) and explainer.unit == FixedLength() and explainer.masks == 256
    assert explainer.estimator == estimator()


@pytest.mark.parametrize(
    ("choice", "unit"),
    [("vad", Stretches()), ("syllable", Syllables()), ("mel_band", MelBands()), ("word", Words())],
)
def test_units_are_choices(choice, unit):
    config = compose(["explainer=rise", f"explainer/unit={choice}"], stage="explain")
    assert instantiate(config.explainer).unit == unit


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match="fill"):
        Segments(FixedLength(), Rise(), fill="zeros")
    with pytest.raises(InputError, match="masks"):
        Segments(FixedLength(), Rise(), masks=1)
