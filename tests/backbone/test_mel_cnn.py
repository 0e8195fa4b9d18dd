import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.backbone.masked import MaskedBatchNorm2d
from ser.backbone.mel_cnn import MelCNN, mask_time
from ser.finetune.full import Full
from ser.head.emotion_network import Shape
from ser.head.network import NetworkHead
from ser.head.reading import Reading
from ser.head.trunk import Trunk

AUDIO = Shape("audio", ())
SMALL = {"rate": 8000, "mels": 16, "fft": 256, "window": 240, "hop": 120, "width": 4}
lists_of_lengths = st.lists(st.integers(130, 3000), min_size=1, max_size=5)


def make_waves(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy((0.1 * rng.standard_normal(length)).astype(np.float32)) for length in lengths]


def pad(waves, padding=0):
    lengths = torch.tensor([len(wave) for wave in waves])
    batch = torch.zeros(len(waves), int(lengths.max()) + padding)
    for row, wave in zip(batch, waves, strict=True):
        row[: len(wave)] = wave
    return batch, lengths


def make_network(statistics=("mean",)):
    """A network whose batch normalisation has seen something."""
    torch.manual_seed(0)
    network = NetworkHead(hidden=[5]).build(3, AUDIO, Trunk(MelCNN(**SMALL), Full(), Reading(statistics=statistics)))
    with torch.no_grad():
        for seed in range(3):
            network.train()(*pad(make_waves([2000, 1500, 900], seed)))
    return network.eval()


NETWORKS = {"mean": make_network(), "mean and deviation": make_network(("mean", "std"))}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
@given(lengths=lists_of_lengths, padding=st.integers(0, 2000), data=st.data())
@settings(max_examples=15, deadline=None)
@torch.inference_mode()
def test_a_clips_logits_do_not_depend_on_its_batch(network, lengths, padding, data):
    waves = make_waves(lengths)
    expected = torch.cat([network(*pad([wave])) for wave in waves])
    torch.testing.assert_close(network(*pad(waves)), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(network(*pad(waves, padding)), expected, atol=1e-4, rtol=1e-4)
    order = data.draw(st.permutations(range(len(waves))))
    shuffled = network(*pad([waves[index] for index in order], padding))
    torch.testing.assert_close(shuffled, expected[list(order)], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_logits_depend_on_the_clip():
    first, second = (NETWORKS["mean"](*pad(make_waves([2000], seed))) for seed in (0, 1))
    assert (first - second).abs().max() > 1e-3


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5), padding=st.integers(0, 5), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_masked_batch_norm_is_torchs_on_what_is_not_padding(lengths, padding, seed):
    torch.manual_seed(seed)
    clips = [torch.randn(3, 4, length) * 2 + 1 for length in lengths]
    lengths = torch.tensor(lengths)
    x = torch.full((len(clips), 3, 4, int(lengths.max()) + padding), 77.0)
    for row, clip in zip(x, clips, strict=True):
        row[:, :, : clip.shape[-1]] = clip
    masked, plain = MaskedBatchNorm2d(3), nn.BatchNorm2d(3)
    for norm in (masked, plain):
        norm.weight.data = torch.tensor([1.0, 2.0, 0.5])
        norm.bias.data = torch.tensor([0.0, -1.0, 1.0])
    expected = plain(torch.cat(clips, dim=-1)[None])
    found = masked(x, mask_time(lengths, x))
    together = torch.cat([row[..., :length] for row, length in zip(found, lengths, strict=True)], dim=-1)
    torch.testing.assert_close(together, expected[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(masked.running_mean, plain.running_mean)
    torch.testing.assert_close(masked.running_var, plain.running_var, atol=1e-5, rtol=1e-4)
    assert all((row[..., length:] == 0).all() for row, length in zip(found, lengths, strict=True))
    # And as it is used afterwards.
    used = masked.eval()(x, mask_time(lengths, x))
    torch.testing.assert_close(used[0, :, :, : lengths[0]], plain.eval()(clips[0][None])[0], atol=1e-4, rtol=1e-4)
    assert all((row[..., length:] == 0).all() for row, length in zip(used, lengths, strict=True))


def test_training_statistics_do_not_depend_on_padding():
    waves, found = make_waves([2000, 700]), []
    for padding in (0, 1500):
        torch.manual_seed(0)
        network = MelCNN(**SMALL).build().train()
        network(*pad(waves, padding))
        found.append({name: value.clone() for name, value in network.state_dict().items() if "running" in name})
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], atol=1e-4, rtol=1e-4)


def test_size_of_the_published_network():
    network = MelCNN().build()
    parameters = sum(weight.numel() for weight in network.parameters())
    assert 0.28e6 < parameters < 0.30e6
    assert network.depth == 1 and network.dim == 128 and network.rate == 16000


@given(length=st.integers(200, 4000))
@settings(max_examples=15, deadline=None)
@torch.inference_mode()
def test_frames_and_their_number(length):
    network = MelCNN(**SMALL).build().eval()
    (frames,), lengths = network(*pad(make_waves([length])))
    assert frames.shape == (1, int(lengths[0]), network.dim)


@torch.inference_mode()
def test_an_impulse_shows_where_it_is():
    """Time runs forward and straight: the frame that changes most lies where the sound does."""
    network = NETWORKS["mean"].backbone
    quiet = 0.001 * make_waves([8000])[0]
    (plain,), _ = network(quiet[None], torch.tensor([8000]))
    for place in (1000, 4000, 7000):
        loud = quiet.clone()
        loud[place - 50 : place + 50] += make_waves([100], 1)[0] * 5
        (frames,), lengths = network(loud[None], torch.tensor([8000]))
        strongest = (frames - plain).square().sum(-1)[0].argmax()
        assert abs((strongest + 0.5) / lengths[0] - place / 8000) < 0.1


def test_gradients_reach_every_weight():
    network = NetworkHead().build(3, AUDIO, Trunk(MelCNN(**SMALL), Full())).train()
    network(*pad(make_waves([2000, 900]))).square().sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())
