import numpy as np
import pytest
import torch
from captum.attr import Occlusion as CaptumOcclusion
from toy_subjects import (
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
from ser.explainer.fill import Filler
from ser.explainer.subject import Subject


def explain(subject, inputs, classes=None, **changes):
    explainer = make_explainer("occlusion", **changes)
    explainer.check(subject)
    return explainer.explain(
        subject, inputs, torch.zeros(len(inputs), dtype=torch.long) if classes is None else classes
    )


@pytest.mark.parametrize("backbone", [*WAVEFORMS, *SPECTROGRAMS])
def test_all_backbones_yield_maps_on_the_cells_of_their_inputs(backbone):
    subject = make_real(backbone)
    inputs = subject.encode(make_waves(2))
    found = explain(subject, inputs, torch.tensor([0, 2]), window=0.2, stride=0.1, fill=["mean_spec"])
    assert found.values.shape == inputs.shape and found.values.isfinite().all()
    assert (found.values.flatten(1) != 0).any(1).all() and found.backwards == 0
    assert all(weight.grad is None for weight in subject.network.parameters())


def test_windows_side_by_side_sum_to_the_falls_of_a_linear_network():
    network = Linear(1600)
    subject, inputs = Subject(("a", "b"), RATE, network), torch.randn(2, 1600)
    found = explain(subject, inputs, window=0.01, stride=0.01, fill=["silence"])
    weights = (network.layer.weight[0] - network.layer.weight[1]).detach()
    for first in range(0, 1600, 160):
        kept = torch.ones(2, 1600, dtype=torch.bool)
        kept[:, first : first + 160] = False
        for clip in range(2):
            filled = Filler(subject, inputs[clip : clip + 1], "silence").apply(kept[clip : clip + 1])
            fall = ((inputs[clip] - filled[0]) * weights).sum()
            assert torch.allclose(found.values[clip, first : first + 160].sum(), fall, atol=1e-4)
    assert found.forwards == 2 * (1 + 10)


@pytest.mark.parametrize(
    ("changes", "shape", "strides"),
    [
        ({"window": 0.15, "stride": 0.075, "bands": None}, (64, 10), (64, 5)),
        ({"window": None, "bands": 8}, (8, 41), (4, 41)),
        ({"window": 0.15, "stride": 0.15, "bands": 16, "band_stride": 16}, (16, 10), (16, 10)),
    ],
)
def test_windows_over_time_bands_and_tiles_equal_captum_called_plainly(changes, shape, strides):
    subject = make_real("mel_cnn_small")
    inputs, classes = subject.encode(make_waves(2)), torch.tensor([1, 2])
    assert inputs.shape[1:] == (64, 41)
    found = explain(subject, inputs, classes, fill=["mean_spec"], **changes)
    method = CaptumOcclusion(lambda x: margin(subject.score(x), classes.repeat(len(x) // 2)))
    mean = inputs.mean(-1, keepdim=True).expand_as(inputs)
    plain = method.attribute(inputs, sliding_window_shapes=shape, strides=strides, baselines=mean)
    assert torch.allclose(found.values * shape[0] * shape[1], plain, atol=1e-5)


def test_several_fills_are_averaged():
    subject = make_real("tiny_byol")
    inputs = subject.encode(make_waves(1))
    both = explain(subject, inputs, fill=["silence", "interp"])
    each = [explain(subject, inputs, fill=[fill]) for fill in ("silence", "interp")]
    assert torch.allclose(both.values, (each[0].values + each[1].values) / 2, atol=1e-7)
    assert both.forwards == each[0].forwards + each[1].forwards


@pytest.mark.parametrize("backbone", ["tiny_wav2vec2", "mel_cnn_small"])
def test_a_clip_yields_the_same_alone_and_among_others_and_in_parts(backbone):
    subject = make_real(backbone)
    inputs, classes = subject.encode(make_waves(3)), torch.tensor([0, 1, 2])
    together = explain(subject, inputs, classes)
    alone = explain(subject, inputs[1:2], classes[1:2])
    parts = explain(subject, inputs, classes, max_batch=3)
    tolerance = {"rtol": 1e-3, "atol": 1e-4 * float(together.values.abs().max())}
    assert torch.allclose(together.values[1:2], alone.values, **tolerance)
    assert torch.allclose(together.values, parts.values, **tolerance)
    assert together.forwards == parts.forwards == 3 * alone.forwards


def test_a_model_without_gradients_is_asked():
    heard = []

    def ask(waves):
        heard.append(len(waves))
        level = np.square(waves[:, 4800:6400]).mean(1)
        share = 0.5 + np.clip(10 * level, 0, 0.4)
        return np.log(np.stack([share, 1 - share], 1))

    subject = Subject(("a", "b"), RATE, ask=ask)
    found = explain(subject, make_events(0.35, 0.8), fill=["silence"], window=0.04, stride=0.02)
    assert sum(heard) == found.forwards and max(heard) <= 32
    peak, _ = find_peak(subject, make_events(0.35, 0.8), found)
    assert abs(peak - 0.35) <= 0.02


@pytest.mark.parametrize("when", [0.205, 0.61])
@pytest.mark.parametrize("listen", [listen_to_waveform, listen_to_spectrogram])
def test_a_network_that_hears_one_instant_is_explained_by_it(listen, when):
    subject = listen(when)
    inputs = subject.encode(make_events(when, decoy=0.8))
    # Windows longer than the event leave a plateau about it, one stride long.
    peak, _ = find_peak(subject, inputs, explain(subject, inputs, window=0.04, stride=0.01, fill=["silence"]))
    assert abs(peak - when) <= 0.01


def test_what_goes_together_with_nothing_is_refused():
    wave = Subject(("a", "b"), RATE, Linear(1600))
    with pytest.raises(InputError, match="no bands"):
        explain(wave, torch.randn(1, 1600), bands=4)
    with pytest.raises(InputError, match="at most 64"):
        explain(make_real("mel_cnn_small"), None, bands=65)
    for changes in (
        {"window": None},
        {"window": 0.1, "stride": 0.2},
        {"bands": 2, "band_stride": 3},
        {"fill": []},
        {"fill": ["water"]},
    ):
        with pytest.raises(Exception, match=r"explainer\."):
            make_explainer("occlusion", **changes)


def test_a_clip_shorter_than_the_window_is_occluded_whole():
    subject = Subject(("a", "b"), RATE, Linear(800))
    found = explain(subject, torch.randn(1, 800), fill=["silence"])
    assert found.forwards == 2 and found.values.unique().numel() == 1
