import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from toy_subjects import (
    EMOTIONS,
    RATE,
    SPECTROGRAMS,
    WAVEFORMS,
    Linear,
    find_peak,
    listen_to_token,
    make_events,
    make_explainer,
    make_real,
    make_waves,
)

from ser.errors import InputError
from ser.explainer.base import margin
from ser.explainer.gradcam import find_cells, keep_outputs
from ser.explainer.subject import Subject


def explain(subject, inputs, classes=None, **changes):
    explainer = make_explainer("gradcam", **changes)
    explainer.check(subject)
    return explainer.explain(
        subject, inputs, torch.zeros(len(inputs), dtype=torch.long) if classes is None else classes
    )


@pytest.mark.parametrize("backbone", [*WAVEFORMS, *SPECTROGRAMS])
def test_all_backbones_yield_maps_on_the_cells_of_a_block_and_stay_as_they_are(backbone):
    subject = make_real(backbone)
    inputs = subject.encode(make_waves(2))
    hooks = [len(module._forward_hooks) for module in subject.network.modules()]
    found = explain(subject, inputs, torch.tensor([0, 2]))
    shape = tuple(len(axis) for axis in (found.grid.freqs, found.grid.times) if axis is not None)
    assert found.values.shape == (2, *shape) and found.values.isfinite().all()
    assert (found.values.flatten(1) != 0).any(1).all()
    assert len(shape) == (2 if backbone in ("mel_cnn_small", "tiny_cvt") else 1)
    assert (found.forwards, found.backwards) == (2, 2)
    assert hooks == [len(module._forward_hooks) for module in subject.network.modules()]
    assert all(weight.grad is None and not weight.requires_grad for weight in subject.network.parameters())
    assert not any(module.training for module in subject.network.modules())


def test_on_feature_maps_it_equals_captum_which_needs_the_module_that_makes_them():
    subject = make_real("mel_cnn_small")
    inputs, classes = subject.encode(make_waves(2)), torch.tensor([1, 2])
    for layer, module in (("auto", subject.trunk.block2.relu2), (0, subject.trunk.block1.relu2)):
        method = LayerGradCam(lambda x: margin(subject.network(x), classes), module)
        plain = method.attribute(inputs.clone().requires_grad_())[:, 0]
        found = explain(subject, inputs, classes, layer=layer)
        assert torch.allclose(found.values, plain, rtol=1e-4, atol=1e-7)
        cut = explain(subject, inputs, classes, layer=layer, signed=False)
        assert torch.allclose(cut.values, plain.relu(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("backbone", ["tiny_wavlm", "tiny_hubert"])
def test_on_tokens_that_are_averaged_it_sums_to_what_is_linear_in_them(backbone):
    # Mean pooling and a linear head: channels' mean gradients are the gradients themselves.
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(2)), torch.tensor([0, 1])
    found = explain(subject, inputs, classes)
    with keep_outputs(subject.trunk.blocks) as outputs:
        subject.network(inputs)
    last = outputs[2].requires_grad_()
    layer = subject.network.whole.top.layers[-1]
    pooled = margin(layer(last.mean(1)), classes)
    (slope,) = torch.autograd.grad(pooled.sum(), last)
    assert torch.allclose(found.values, (slope * last).sum(-1), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("backbone", ["tiny_wavlm", "mel_cnn_small"])
def test_a_clip_yields_the_same_alone_and_among_others_and_in_parts(backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(3)), torch.tensor([0, 1, 2])
    together, alone = explain(subject, inputs, classes), explain(subject, inputs[1:2], classes[1:2])
    assert torch.allclose(together.values[1:2], alone.values, rtol=1e-3, atol=1e-6)
    assert torch.allclose(together.values, explain(subject, inputs, classes, max_batch=2).values, rtol=1e-3, atol=1e-6)


def test_auto_is_the_last_block_that_the_head_hears():
    subject = make_real("tiny_wav2vec2", "backbone.layer=2")
    inputs = subject.encode(make_waves(1))
    assert torch.equal(explain(subject, inputs).values, explain(subject, inputs, layer=1).values)
    with pytest.raises(InputError, match=r"(?s)does not hear that block.*0 to 1"):
        explain(subject, inputs, layer=2)
    with pytest.raises(InputError, match="hears none"):
        explain(make_real("tiny_wav2vec2", "backbone.layer=0"), inputs)


@pytest.mark.parametrize("backbone", ["mel_cnn_small", "tiny_cvt"])
@pytest.mark.parametrize("layer", [0, -1])
def test_cells_of_feature_maps_lie_where_they_look(backbone, layer):
    subject = make_real(backbone)
    frames, bands = 97, 64
    inputs = torch.zeros(1, bands, frames)
    with torch.no_grad(), keep_outputs(subject.trunk.blocks) as plain:
        subject.network(inputs)
    for frame, band in ((16, 40), (64, 16), (80, 24)):
        changed = inputs.clone()
        changed[..., band - 1 : band + 2, frame - 1 : frame + 2] = 5.0
        with torch.no_grad(), keep_outputs(subject.trunk.blocks) as outputs:
            subject.network(changed)
        count = len(subject.trunk.blocks)
        effect = (outputs[layer % count] - plain[layer % count]).abs().sum(1)[0]
        grid = find_cells(subject, effect[None], outputs[count - 1])
        times, freqs = subject.find_grid(inputs).times, subject.spectrogram.freqs
        peak = divmod(int(effect.argmax()), effect.shape[1])
        assert abs(grid.times[peak[1]] - times[frame]) <= grid.step + 1e-9
        near = abs(freqs - grid.freqs[peak[0]]).argmin()
        assert abs(int(near) - band) <= bands / effect.shape[0]


def test_finer_blocks_have_finer_steps_however_long_the_clip():
    subject = make_real("mel_cnn_small")
    for frames in range(17, 60):
        with torch.no_grad(), keep_outputs(subject.trunk.blocks) as outputs:
            subject.network(torch.zeros(1, 64, frames))
        steps = [find_cells(subject, outputs[place].sum(1), outputs[1]).step for place in (0, 1)]
        assert steps == pytest.approx([0.06, 0.12])


@pytest.mark.parametrize("when", [0.21, 0.61])
def test_a_network_that_hears_one_instant_is_explained_by_it(when):
    subject = listen_to_token(when)
    inputs = make_events(when, decoy=0.8)
    peak, step = find_peak(subject, inputs, explain(subject, inputs))
    assert abs(peak - when) <= step


def test_what_has_no_blocks_or_gradients_is_refused():
    with pytest.raises(InputError, match="needs gradients"):
        explain(Subject(EMOTIONS, RATE, ask=lambda waves: waves), None)
    with pytest.raises(InputError, match="has none"):
        explain(Subject(("a", "b"), RATE, nn.Sequential(Linear(100))), None)
    with pytest.raises(InputError, match="-3 to 2"):
        explain(make_real("tiny_wavlm"), None, layer=3)
    for layer in ("last", True, 1.5):
        with pytest.raises(Exception, match=r"explainer\.layer"):
            make_explainer("gradcam", layer=layer)
