"""BYOL-A and BYOL-S: the description, the spectrogram, the convolutional encoder and its published weights."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_tools import make_waves, pad, read
from torch import nn

from ser.backbone.byol import BYOLAudioNTT, BYOLCvT
from ser.backbone.byol_network import AudioNTT, mirror_ends
from ser.backbone.weights import hash_parameters
from ser.errors import InputError

CONF = Path(__file__).parents[2] / "conf"
CHOICES = [*sorted(path.stem for path in (CONF / "backbone").glob("*byol*.yaml")), "tiny_cvt"]
WEIGHTS = Path(os.environ.get("SER_WEIGHTS", "weights")) / "byol-s-512"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason=f"needs the weights of BYOL-S-512 in {WEIGHTS}")

# Keys and shapes of the published state dicts; D is 512, 1,024 or 2,048. Listed from the file of BYOL-S-512
# (default512_BYOLAs64x96-2107281850-e100-bs256-lr0003-rs42.pth of github.com/Neclow/SERAB); for other sizes from the
# constructor in byol_a/models.py of github.com/nttcslab/byol-a and the same class in byol_a/models/audio_ntt.py of
# github.com/GasserElbanna/serab-byols, where D occurs in fc alone: Linear(64 * (n_mels // 8), d), Linear(d, d).
PUBLISHED = """
features.0.weight 64 1 3 3
features.0.bias 64
features.1.weight 64
features.1.bias 64
features.1.running_mean 64
features.1.running_var 64
features.1.num_batches_tracked
features.4.weight 64 64 3 3
features.4.bias 64
features.5.weight 64
features.5.bias 64
features.5.running_mean 64
features.5.running_var 64
features.5.num_batches_tracked
features.8.weight 64 64 3 3
features.8.bias 64
features.9.weight 64
features.9.bias 64
features.9.running_mean 64
features.9.running_var 64
features.9.num_batches_tracked
fc.0.weight D 512
fc.0.bias D
fc.3.weight D D
fc.3.bias D
"""
TINY = BYOLAudioNTT(dim=6, channels=3)
TINY_CVT = BYOLCvT(sizes=(4, 6, 8), depths=(1, 2, 1), heads=(1, 2, 1), head_size=4, expansion=2)
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def make_network(backbone):
    """A network whose batch normalisation has seen something."""
    network = backbone.build()
    with torch.no_grad():
        for seed in range(3):
            network.train()(*pad(make_waves([9000, 5000, 3000], seed)))
    return network.eval()


def embed(network, waves, padding=0):
    """Frames of each clip."""
    return [hidden[0] for hidden in read(network, waves, padding)]


NETWORKS = {"AudioNTT": make_network(TINY), "CvT": make_network(TINY_CVT)}
each = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


@each
@given(lengths=st.lists(st.integers(1, 12000), min_size=1, max_size=5), padding=st.integers(0, 5000), data=st.data())
@settings(max_examples=20, deadline=None)
@torch.inference_mode()
def test_a_clips_frames_do_not_depend_on_its_batch(network, lengths, padding, data):
    waves = make_waves(lengths)
    alone = [embed(network, [wave])[0] for wave in waves]
    order = data.draw(st.permutations(range(len(waves))))
    for found, index in zip(embed(network, [waves[index] for index in order], padding), order, strict=True):
        assert len(found) >= 1
        torch.testing.assert_close(found, alone[index], **CLOSE)


@each
@torch.inference_mode()
def test_long_batches_are_taken_in_parts(network):
    waves = make_waves([40000, 60000, 70000])
    for found, wave in zip(embed(network, waves), waves, strict=True):
        torch.testing.assert_close(found, embed(network, [wave])[0], **CLOSE)


@each
@torch.inference_mode()
def test_what_lies_beyond_a_clips_end_is_not_read(network):
    batch, lengths = pad(make_waves([9000, 700]))
    (expected,), frames = network(batch, lengths)
    batch[1, 700:] = 9.0
    (found,), _ = network(batch, lengths)
    torch.testing.assert_close(found[1, : frames[1]], expected[1, : frames[1]], **CLOSE)


@each
@torch.inference_mode()
def test_frames_depend_on_the_clip(network):
    first, second = (embed(network, make_waves([9000], seed))[0] for seed in (0, 1))
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (1119, 1), (1120, 1), (2399, 1), (2400, 2), (16000, 12)])
@torch.inference_mode()
def test_eight_frames_of_the_spectrogram_make_one_and_a_short_clip_has_one(samples, frames):
    assert len(embed(NETWORKS["AudioNTT"], make_waves([samples]))[0]) == frames


@each
@torch.inference_mode()
def test_silence_and_half_precision_stay_finite(network):
    waves = [torch.zeros(5000), make_waves([8000])[0]]
    with torch.autocast("cpu", torch.float16):  # EPSILON would be zero in it
        assert all(frames.isfinite().all() for frames in embed(network, waves))


@pytest.mark.parametrize("backbone", [TINY, TINY_CVT], ids=["AudioNTT", "CvT"])
def test_padding_changes_nothing_in_training(backbone):
    waves = make_waves([9000, 3000, 800])
    outcomes = []
    for padding in (0, 7000):
        network = backbone.build().train()
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        frames = embed(network, waves, padding)
        sum(part.square().sum() for part in frames).backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.abs().max() > 0 for gradient in gradients)
        statistics = [buffer for name, buffer in network.named_buffers() if "running" in name]
        outcomes.append([*(part.detach() for part in frames), *statistics])
    for first, second in zip(*outcomes, strict=True):
        torch.testing.assert_close(first, second, **CLOSE)


@pytest.mark.parametrize("length", [1, 2, 3, 50, 200])
def test_ends_are_mirrored_as_numpy_does(length):
    wave = make_waves([length])[0]
    found = mirror_ends(*pad([wave, torch.ones(300)]), 64)[0]
    expected = np.pad(wave.numpy(), 64, "reflect") if length > 1 else np.full(129, wave.item(), np.float32)
    np.testing.assert_array_equal(found[: length + 128].numpy(), expected)
    assert not found[length + 128 :].any()


@each
def test_what_can_be_frozen_is_all_there_is(network):
    parts = [*network.front_end, *network.blocks]
    found = [id(parameter) for part in parts for parameter in part.parameters()]
    assert sorted(found) == sorted(id(parameter) for parameter in network.parameters())


@torch.inference_mode()
def test_the_statistics_are_constants_of_the_configuration():
    mel, frames = TINY.build().mel(*pad(make_waves([4000, 2000])))
    other, _ = replace(TINY, mean=-5.0, std=2.0).build().mel(*pad(make_waves([4000, 2000])))
    own = slice(0, int(frames[1]))
    torch.testing.assert_close(mel[1, :, own] * 4.103 - 2.693, other[1, :, own] * 2.0 - 5.0, **CLOSE)
    assert not mel[1, :, int(frames[1]) :].any()


@pytest.mark.parametrize("dim", [512, 1024, 2048])
def test_keys_and_shapes_are_those_published(dim):
    rows = [line.replace("D", str(dim)).split() for line in PUBLISHED.split("\n") if line]
    expected = {name: tuple(map(int, shape)) for name, *shape in rows}
    with torch.device("meta"):
        assert {name: tuple(tensor.shape) for name, tensor in AudioNTT(dim=dim).state_dict().items()} == expected


def save(folder, state, name="published.pth"):
    torch.save(state, folder / name)
    return str(folder / name)


@pytest.fixture
def state():
    return dict(TINY.build().encoder.state_dict())


def test_a_published_file_fills_the_network(tmp_path, state):
    other = {name: tensor + 1 for name, tensor in state.items()}
    for source in (save(tmp_path, other), str(tmp_path), save(tmp_path, {"state_dict": other})):
        network = replace(TINY, source=source, seed=5).build()
        assert not network.training
        for name, tensor in network.encoder.state_dict().items():
            torch.testing.assert_close(tensor, other[name])


def drop(state):
    del state["fc.3.bias"]


def add(state):
    state["projector.weight"] = torch.zeros(1)


def reshape(state):
    state["fc.0.weight"] = torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(drop, "missing: fc.3.bias"), (add, "unexpected: projector.weight"), (reshape, "of another shape: fc.0.weight")],
)
def test_weights_that_do_not_fill_the_network_are_refused(tmp_path, state, spoil, told):
    spoil(state)
    with pytest.raises(InputError, match=told):
        replace(TINY, source=save(tmp_path, state)).build()


def test_files_without_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        replace(TINY, source=str(tmp_path / "none")).identify()
    with pytest.raises(InputError, match=r"\*\.pth files there: none"):
        replace(TINY, source=str(tmp_path)).identify()
    (tmp_path / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="no weights can be read"):
        replace(TINY, source=str(tmp_path)).build()
    with pytest.raises(InputError, match="no weights in it"):
        replace(TINY, source=save(tmp_path, [1, 2])).build()
    with pytest.raises(InputError, match=r"pointer\.pth, published\.pth"):
        replace(TINY, source=str(tmp_path)).build()


def test_a_file_with_code_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    with pytest.raises(InputError, match="no weights can be read"):
        replace(TINY, source=save(tmp_path, Bomb())).build()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "values", [{"rate": 8000}, {"std": 0.0}, {"window": 2000}], ids=["rate", "deviation", "window"]
)
def test_values_that_cannot_be_are_refused(values):
    with pytest.raises(InputError, match="expected"):
        BYOLAudioNTT(**values)


def test_the_identity_is_what_decides_the_frames(tmp_path, state):
    identity = TINY.identify()
    assert replace(TINY, layer=0).identify() == identity
    changes = [{"mean": 0.0}, {"std": 1.0}, {"window": 1024}, {"seed": 1}, {"dim": 7}, {"channels": 4}]
    assert all(replace(TINY, **change).identify() != identity for change in changes)
    source = save(tmp_path, state)
    first = replace(TINY, source=source).identify()
    assert first != identity
    assert replace(TINY, source=str(tmp_path), seed=3).identify() == first
    save(tmp_path, {name: tensor + 1 for name, tensor in state.items()})
    os.utime(source, ns=(1, 1))
    assert replace(TINY, source=source).identify() != first


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = hash_parameters(TINY.build())
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert hash_parameters(TINY.build()) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert hash_parameters(replace(TINY, seed=1).build()) != first


def test_the_description_loads_neither_torch_nor_weights():
    code = (
        "import sys; from ser.backbone.byol import BYOLAudioNTT, BYOLCvT;"
        "BYOLAudioNTT().identify(); BYOLCvT().identify(); BYOLAudioNTT(source='none');"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("choice", CHOICES)
def test_choices_pool_as_published_unless_told_otherwise(choice):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"backbone={choice}"])
        other = compose("train", [f"backbone={choice}", "pooling=mean_std"])
    assert list(config.pooling.statistics) == ["mean_plus_max"]
    assert list(other.pooling.statistics) == ["mean", "std"]
    backbone = instantiate(config.backbone)
    assert backbone.frames and backbone.pretrained and backbone.rate == 16000
    if choice.startswith("tiny"):
        network = backbone.build()
        (hidden,), lengths = network(*pad(make_waves([9000, 4000])))
        assert hidden.shape[2] == network.dim
        assert network.depth == 1
        assert lengths.min() >= 1


@needs_weights
@torch.inference_mode()
def test_byol_s_computes_as_published():
    """Against the published recipe in the libraries' own building blocks: torchaudio's spectrogram, torch's layers."""
    from torchaudio.transforms import MelSpectrogram

    network = BYOLAudioNTT(source=str(WEIGHTS)).build()
    state = torch.load(next(WEIGHTS.glob("*.pth")), weights_only=True)
    sizes = (1, 64, 64)
    stages = [(nn.Conv2d(size, 64, 3, 1, 1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)) for size in sizes]
    features = nn.Sequential(*(layer for stage in stages for layer in stage))
    linear = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU())
    published = nn.ModuleDict({"features": features, "fc": linear}).eval()
    published.load_state_dict(state)
    spectrogram = MelSpectrogram(
        sample_rate=16000, n_fft=1024, win_length=400, hop_length=160, n_mels=64, f_min=60, f_max=7800
    )
    waves = make_waves([1300, 16000, 45678])
    for found, wave in zip(embed(network, waves), waves, strict=True):
        mel = ((spectrogram(wave) + torch.finfo(torch.float).eps).log() + 2.693) / 4.103
        maps = features(mel[None, None]).permute(0, 3, 2, 1)  # batch, time, mel, channel
        expected = linear(maps.reshape(maps.shape[1], -1))
        torch.testing.assert_close(found, expected, **CLOSE)


@needs_weights
def test_byol_s_is_not_random():
    weights = hash_parameters(BYOLAudioNTT(source=str(WEIGHTS)).build())
    assert weights == hash_parameters(BYOLAudioNTT(source=str(WEIGHTS), seed=1).build())
    assert weights not in {hash_parameters(BYOLAudioNTT(seed=seed).build()) for seed in (0, 1)}


@needs_weights
def test_weights_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"of another shape: fc\.0\.bias"):
        BYOLAudioNTT(source=str(WEIGHTS), dim=2048).build()
