import pytest
import torch
from captum.attr import InputXGradient, NoiseTunnel
from captum.attr import Saliency as CaptumSaliency
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
from ser.explainer.passes import derive_seed
from ser.explainer.subject import Subject

CHOICES = ("saliency", "smoothgrad", "input_x_grad")
FAST = {"smoothgrad": {"draws": 4}}


def explain(choice, subject, inputs, classes=None, **changes):
    explainer = make_explainer(choice, **FAST.get(choice, {}), **changes)
    explainer.check(subject)
    return explainer.explain(
        subject, inputs, torch.zeros(len(inputs), dtype=torch.long) if classes is None else classes
    )


@pytest.mark.parametrize("backbone", [*WAVEFORMS, *SPECTROGRAMS])
def test_all_backbones_yield_maps_on_the_cells_of_their_inputs_and_stay_as_they_are(backbone):
    subject = make_real(backbone)
    inputs = subject.encode(make_waves(2))
    before = {name: value.clone() for name, value in subject.network.state_dict().items()}
    for choice in CHOICES:
        found = explain(choice, subject, inputs, torch.tensor([0, 2]))
        assert found.values.shape == inputs.shape and found.grid is None
        assert found.values.isfinite().all() and (found.values.flatten(1) != 0).any(1).all()
        assert not found.values.requires_grad
    assert not any(module.training for module in subject.network.modules())
    assert all(weight.grad is None and not weight.requires_grad for weight in subject.network.parameters())
    assert all(value.equal(before[name]) for name, value in subject.network.state_dict().items())


def test_slopes_of_a_linear_network_are_its_weights():
    network = Linear(50)
    subject, inputs = Subject(("a", "b"), RATE, network), torch.randn(3, 50)
    difference = network.layer.weight[0] - network.layer.weight[1]
    classes = torch.tensor([0, 1, 0])
    signs = torch.tensor([1.0, -1.0, 1.0])[:, None]
    assert torch.allclose(explain("saliency", subject, inputs, classes, signed=True).values, signs * difference)
    assert torch.allclose(explain("saliency", subject, inputs, classes).values, difference.abs().expand(3, -1))
    smooth = explain("smoothgrad", subject, inputs, classes, signed=True)
    assert torch.allclose(smooth.values, signs * difference, atol=1e-6)
    times = explain("input_x_grad", subject, inputs, classes)
    assert torch.allclose(times.values, signs * difference * inputs)
    drop = margin(network(inputs), classes) - margin(network(torch.zeros_like(inputs)), classes)
    assert torch.allclose(times.values.sum(1), drop, atol=1e-5)


@pytest.mark.parametrize("backbone", ["tiny_hubert", "tiny_byol"])
def test_maps_equal_those_of_captum_called_plainly(backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(2)).requires_grad_(), torch.tensor([1, 2])
    silence = subject.spectrogram.silence if subject.spectral else 0.0

    def ask(x):
        return margin(subject.network(x), classes.repeat(len(x) // 2))

    assert torch.allclose(
        explain("saliency", subject, inputs, classes).values, CaptumSaliency(ask).attribute(inputs), rtol=1e-4
    )
    plain = InputXGradient(lambda x: ask(x + silence)).attribute((inputs - silence).detach().requires_grad_())
    assert torch.allclose(explain("input_x_grad", subject, inputs, classes).values, plain, rtol=1e-4, atol=1e-9)

    first = inputs[:1].detach().requires_grad_()
    torch.manual_seed(derive_seed(first[0], 0))
    tunnel = NoiseTunnel(CaptumSaliency(lambda x: margin(subject.network(x), classes[:1].repeat(len(x)))))
    spread = 0.15 * float(first.detach().std(correction=0))
    plain = tunnel.attribute(first, nt_samples=4, stdevs=spread, abs=False).abs()
    found = explain("smoothgrad", subject, first, classes[:1]).values
    assert torch.allclose(found, plain, rtol=1e-3, atol=1e-6 * float(plain.max()))


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("backbone", ["tiny_wav2vec2", "mel_cnn_small"])
def test_a_clip_yields_the_same_alone_and_among_others_and_in_parts(choice, backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(3)), torch.tensor([0, 1, 2])
    together = explain(choice, subject, inputs, classes)
    alone = explain(choice, subject, inputs[1:2], classes[1:2])
    parts = explain(choice, subject, inputs, classes, max_batch=2)
    tolerance = {"rtol": 1e-3, "atol": 1e-5 * float(together.values.abs().max())}
    assert torch.allclose(together.values[1:2], alone.values, **tolerance)
    assert torch.allclose(together.values, parts.values, **tolerance)
    count = 12 if choice == "smoothgrad" else 3
    assert together.forwards == together.backwards == parts.forwards == parts.backwards == count


def test_noise_leaves_the_random_numbers_of_others_alone_and_follows_the_seed():
    subject, inputs = make_real("tiny_byol"), make_real("tiny_byol").encode(make_waves(1))
    torch.manual_seed(5)
    first = explain("smoothgrad", subject, inputs)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert drawn == torch.rand(1)
    assert first.values.equal(explain("smoothgrad", subject, inputs).values)
    assert not torch.allclose(first.values, explain("smoothgrad", subject, inputs, seed=1).values)


@pytest.mark.parametrize("when", [0.205, 0.61])
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("listen", [listen_to_waveform, listen_to_spectrogram])
def test_a_network_that_hears_one_instant_is_explained_by_it(listen, choice, when):
    subject = listen(when)
    inputs = subject.encode(make_events(when, decoy=0.8))
    peak, step = find_peak(subject, inputs, explain(choice, subject, inputs))
    assert abs(peak - when) <= max(step, 0.01)


class OneFrame(nn.Module):
    """Logits from one frame of the lowest hidden state."""

    def __init__(self, trunk, spectral, place, layer):
        super().__init__()
        self.trunk, self.spectral, self.place, self.layer = trunk, spectral, place, layer

    def forward(self, inputs):
        lengths = torch.full((len(inputs),), inputs.shape[-1])
        hidden, _ = self.trunk.listen(inputs, lengths) if self.spectral else self.trunk(inputs, lengths)
        return hidden[self.layer][:, self.place, : len(EMOTIONS)]


@pytest.mark.parametrize("backbone", [*WAVEFORMS, *SPECTROGRAMS])
def test_one_frame_of_a_backbone_is_explained_by_the_time_that_it_is_centred_on(backbone):
    real = make_real(backbone)
    place = {"mel_cnn_small": 5, "tiny_byol": 7, "tiny_cvt": 3}.get(backbone, 20)
    network = OneFrame(real.trunk, real.spectral, place, layer=0)
    subject = Subject(EMOTIONS, RATE, network, trunk=real.trunk)
    inputs = subject.encode(make_waves(1, seconds=1.0).sign() * 0.1)
    tokens = real.trunk.tokens
    found = explain("saliency", subject, inputs).values
    grid, values = subject.find_grid(inputs), subject.project(found)
    over_time = values[0] if values.ndim == 2 else values[0].sum(0)
    centre = float((over_time.numpy() ** 2 * grid.times).sum() / (over_time**2).sum())
    near = 3 if backbone == "tiny_data2vec" else 1  # five positional convolutions see 31 frames of its tokens
    assert abs(centre - (tokens.first + place * tokens.step)) <= near * tokens.step


def test_a_model_without_gradients_is_refused():
    subject = Subject(EMOTIONS, RATE, ask=lambda waves: waves[:, :3])
    for choice in CHOICES:
        with pytest.raises(InputError, match="needs gradients"):
            make_explainer(choice).check(subject)


@pytest.mark.parametrize("changes", [{"draws": 0}, {"noise": 0.0}])
def test_noise_that_is_none_is_refused(changes):
    with pytest.raises(Exception, match=r"explainer\.draws"):
        make_explainer("smoothgrad", **changes)
