import warnings

import pytest
import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from torch import nn
from toy_subjects import (
    EMOTIONS,
    RATE,
    SPECTROGRAMS,
    WAVEFORMS,
    Linear,
    find_peak,
    listen_to_spectrogram,
    listen_to_waveform,
    make_events,
    make_explainer,
    make_real,
    make_waves,
)

from ser.errors import InputError
from ser.explainer.base import margin
from ser.explainer.integrated import Baseline
from ser.explainer.subject import Subject


def explain(subject, inputs, classes=None, **changes):
    explainer = make_explainer("integrated_gradients", **changes)
    explainer.check(subject)
    return explainer.explain(
        subject, inputs, torch.zeros(len(inputs), dtype=torch.long) if classes is None else classes
    )


@pytest.mark.parametrize("backbone", [*WAVEFORMS, *SPECTROGRAMS])
def test_all_backbones_yield_complete_maps_and_stay_as_they_are(backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(2)), torch.tensor([0, 2])
    before = {name: value.clone() for name, value in subject.network.state_dict().items()}
    found = explain(subject, inputs, classes, max_steps=64)
    assert found.values.shape == inputs.shape and found.values.isfinite().all()
    drops = margin(subject.score(inputs), classes).double() - found.baseline
    errors = (found.values.double().flatten(1).sum(1) - drops).abs() / drops.abs()
    for reasons, error in zip(found.reasons, errors.tolist(), strict=True):
        assert (error <= 0.05) == (not reasons)
        assert not reasons or reasons == [
            f"completeness not reached in 64 steps: the map misses the difference by {100 * error:.0f} %"
        ]
    assert all(weight.grad is None and not weight.requires_grad for weight in subject.network.parameters())
    assert not any(module.training for module in subject.network.modules())
    assert all(value.equal(before[name]) for name, value in subject.network.state_dict().items())


def test_silence_and_a_linear_network_give_weights_times_input():
    network = Linear(40)
    subject, inputs = Subject(("a", "b"), RATE, network), torch.randn(2, 40)
    found = explain(subject, inputs, baseline={"kind": "silence"})
    times = make_explainer("input_x_grad").explain(subject, inputs, torch.zeros(2, dtype=torch.long))
    assert torch.allclose(found.values, times.values, atol=1e-6)
    assert found.reasons == [[], []] and found.extras["steps"].tolist() == [16, 16]
    bias = network.layer.bias[0] - network.layer.bias[1]
    assert torch.allclose(found.baseline.float(), bias.expand(2))
    # Two margins, the baseline's and the clip's, and 16 points on the way to each clip.
    assert (found.forwards, found.backwards) == (2 * 2 + 2 * 16, 2 * 16)


def test_values_follow_symmetry():
    class Product(nn.Module):
        def forward(self, inputs):
            return torch.stack([inputs[:, 0] * inputs[:, 1] + inputs[:, 2], torch.zeros(len(inputs))], 1)

    subject = Subject(("a", "b"), RATE, Product())
    found = explain(subject, torch.tensor([[2.0, 2.0, 1.0, 5.0]]), baseline={"kind": "silence"})
    assert torch.allclose(found.values, torch.tensor([[2.0, 2.0, 1.0, 0.0]]), atol=1e-5)


@pytest.mark.parametrize("backbone", ["tiny_wavlm", "mel_cnn_small"])
def test_the_map_is_the_mean_of_captum_called_plainly_on_each_baseline(backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(1)), torch.tensor([1])
    found = explain(subject, inputs, classes, steps=8, max_steps=8, baseline={"draws": 3})
    method = CaptumIntegratedGradients(lambda x: margin(subject.network(x), classes.repeat(len(x))))
    baselines = Baseline(draws=3).make(subject, inputs[0], seed=0)
    plain = torch.cat([method.attribute(inputs, one[None], n_steps=8) for one in baselines]).mean(0)
    assert torch.allclose(found.values[0], plain.float(), rtol=1e-3, atol=1e-4 * float(plain.abs().max()))
    low = margin(subject.score(baselines), classes.repeat(3)).mean()
    assert torch.allclose(found.baseline.float(), low[None], atol=1e-5)


def test_steps_are_doubled_for_clips_that_need_it_only():
    class Steep(nn.Module):
        """Rises at a narrow place on the way from silence to a clip of ones, evenly on the way to the other."""

        def forward(self, inputs):
            level = inputs.mean(1)
            rise = torch.where(inputs[:, 0] == inputs[:, 1], torch.sigmoid(400 * (level - 0.503)), level)
            return torch.stack([rise, torch.zeros_like(rise)], 1)

    subject = Subject(("a", "b"), RATE, Steep())
    inputs = torch.stack([torch.ones(8), torch.arange(8.0)])
    found = explain(subject, inputs, baseline={"kind": "silence"})
    steps = found.extras["steps"].tolist()
    assert steps[0] > 16 and steps[1] == 16 and found.reasons == [[], []]
    given_up = explain(subject, inputs, baseline={"kind": "silence"}, max_steps=16)
    assert given_up.reasons[0][0].startswith("completeness not reached in 16 steps") and not given_up.reasons[1]


@pytest.mark.parametrize("backbone", ["tiny_wav2vec2", "tiny_byol"])
def test_a_clip_yields_the_same_alone_and_among_others_and_in_parts(backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(3)), torch.tensor([0, 1, 2])
    changes = {"steps": 8, "max_steps": 8}
    together = explain(subject, inputs, classes, **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = explain(subject, inputs, classes, max_batch=3, **changes)
    alone = explain(subject, inputs[1:2], classes[1:2], **changes)
    tolerance = {"rtol": 1e-3, "atol": 1e-4 * float(together.values.abs().max())}
    assert torch.allclose(together.values[1:2], alone.values, **tolerance)
    assert torch.allclose(together.values, parts.values, **tolerance)
    assert together.backwards == parts.backwards == 3 * 4 * 8
    assert together.forwards == parts.forwards == 3 * 4 * 8 + 3 * 4 + 3


@pytest.mark.parametrize("backbone", ["tiny_hubert", "mel_cnn_small"])
def test_baselines_sound_like_the_clip_and_differ(backbone):
    subject = make_real(backbone)
    clip = subject.encode(make_waves(1))[0]
    noise = Baseline("noise_rms", draws=4).make(subject, clip, seed=0)
    assert noise.shape == (4, *clip.shape)
    for draw in noise:
        assert torch.allclose(draw.square().mean().sqrt(), clip.square().mean().sqrt(), rtol=0.05)
    assert noise.unique(dim=0).shape[0] == 4
    assert Baseline("silence", draws=4).make(subject, clip, 0).shape[0] == 1
    assert noise.equal(Baseline("noise_rms", draws=4).make(subject, clip, seed=0))


def test_the_way_from_zero_is_refused_where_a_network_hears_no_level():
    def choose(kind):
        return make_explainer("integrated_gradients", baseline={"kind": kind})

    for backbone, changes, reason in (
        ("tiny_hubert", ["backbone.normalise=false"], "GroupNorm"),
        ("tiny_wav2vec2_layer_norm", ["backbone.normalise=true"], "unit variance"),
    ):
        subject = make_real(backbone, *changes)
        with pytest.raises(InputError, match=reason):
            choose("silence").check(subject)
        choose("noise_rms").check(subject)
    choose("silence").check(make_real("tiny_wav2vec2_layer_norm", "backbone.normalise=false"))
    choose("silence").check(make_real("mel_cnn_small"))


@pytest.mark.parametrize("when", [0.205, 0.61])
@pytest.mark.parametrize("listen", [listen_to_waveform, listen_to_spectrogram])
def test_a_network_that_hears_one_instant_is_explained_by_it(listen, when):
    subject = listen(when)
    inputs = subject.encode(make_events(when, decoy=0.8))
    kind = "noise_rms" if not subject.spectral else "mean_spec"
    peak, step = find_peak(subject, inputs, explain(subject, inputs, baseline={"kind": kind}))
    assert abs(peak - when) <= max(step, 0.01)


def test_what_means_nothing_is_refused():
    with pytest.raises(InputError, match="needs gradients"):
        make_explainer("integrated_gradients").check(Subject(EMOTIONS, RATE, ask=lambda waves: waves))
    for changes in ({"baseline": {"kind": "loud"}}, {"baseline": {"draws": 0}}, {"steps": 512}):
        with pytest.raises(Exception, match=r"explainer\."):
            make_explainer("integrated_gradients", **changes)
