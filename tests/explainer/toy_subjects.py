"""Subjects for tests of explainers: untrained real networks, and toys that provably listen to one instant."""

from functools import cache

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from ser.backbone.base import Tokens
from ser.backbone.mel_cnn import MelCNN
from ser.chosen import build_trunk
from ser.config import compose
from ser.explainer.subject import Subject
from ser.head.emotion_network import Shape
from ser.head.end_to_end import EndToEnd, FromSpectrogram, FromWaveform
from ser.head.network import NetworkHead
from ser.paths import find_shipped

RATE = 16000
EMOTIONS = ("anger", "neutral", "sadness")
WAVEFORMS = ("tiny_data2vec", "tiny_hubert", "tiny_wav2vec2", "tiny_wav2vec2_layer_norm", "tiny_wavlm")
SPECTROGRAMS = ("mel_cnn_small", "tiny_byol", "tiny_cvt", "tiny_whisper")
TRANSFORMERS = (*WAVEFORMS, "tiny_whisper")


def make_explainer(choice, **changes):
    """The explainer of a YAML in conf/explainer."""
    return instantiate(OmegaConf.merge(OmegaConf.load(find_shipped("conf") / "explainer" / f"{choice}.yaml"), changes))


@cache
def read_choices(*overrides):
    """A configuration; composing one takes longer than most tests."""
    return compose(["finetune=full", *overrides])


def make_real(choice, *overrides):
    """An untrained network of a YAML in conf/backbone with a linear head."""
    trunk = build_trunk(read_choices(f"backbone={choice}", *overrides))
    torch.manual_seed(0)
    top = NetworkHead().build(len(EMOTIONS), Shape("audio", ()), trunk)
    whole = EndToEnd(top.backbone, top, trunk.reading, Shape("audio", ()), EMOTIONS, ()).eval()
    network = FromSpectrogram(whole) if choice in SPECTROGRAMS else FromWaveform(whole)
    return Subject(EMOTIONS, RATE, network, trunk=top.backbone)


def make_waves(count=2, seconds=0.6, seed=0):
    """Noise that swells and fades [B, T]."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.linspace(0, 1, round(seconds * RATE))
    return 0.1 * torch.randn(count, len(time), generator=generator) * (torch.pi * time).sin()


def make_events(when, decoy, seconds=1.0):
    """Faint noise with a burst of 20 ms centred at ``when`` and a louder one at ``decoy`` [1, T]."""
    waves = 0.001 * torch.randn(1, round(seconds * RATE), generator=torch.Generator().manual_seed(1))
    for time, level in ((when, 0.1), (decoy, 0.4)):
        first = round((time - 0.01) * RATE)
        waves[:, first : first + 320] += level * torch.randn(1, 320, generator=torch.Generator().manual_seed(2))
    return waves


class Linear(nn.Module):
    """Logits of flattened inputs."""

    def __init__(self, size, classes=2):
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Linear(size, classes)

    def forward(self, inputs):
        return self.layer(inputs.flatten(1))


class ListenTo(nn.Module):
    """One logit rises with the energy in a stretch of the inputs and nothing else, the other is fixed."""

    def __init__(self, first, last):
        super().__init__()
        self.span = slice(first, last)

    def forward(self, inputs):
        heard = inputs[..., self.span]
        level = 0.05 * heard.mean((1, 2)) if inputs.ndim == 3 else heard.square().mean(1)
        return torch.stack([level, torch.zeros_like(level)], 1)


def listen_to_waveform(when):
    """A subject that hears the 20 ms around an instant of a waveform."""
    return Subject(("a", "b"), RATE, ListenTo(round((when - 0.01) * RATE), round((when + 0.01) * RATE)))


def listen_to_spectrogram(when):
    """A subject that hears the frames of a spectrogram within 10 ms of an instant."""
    trunk = MelCNN(mels=64, width=4, hop=80, fft=1024).build()
    step = trunk.grid.step
    return Subject(
        ("a", "b"), RATE, ListenTo(round((when - 0.01) / step), round((when + 0.01) / step) + 1), trunk=trunk
    )


class Gated(nn.Module):
    """Tokens whose channels are the energy of 20 ms of a waveform, and nothing but at one of them."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, tokens):
        gate = torch.zeros(tokens.shape[1])
        gate[self.place] = 1.0
        return (tokens * gate[:, None], None)


class OneTokenAttention(nn.Module):
    """All tokens attend to one, and pass its energy on."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, tokens):
        mask = torch.full((tokens.shape[1],) * 2, -9.0)
        mask[:, self.place] = 9.0
        heads = tokens[:, None]
        attended = torch.nn.functional.scaled_dot_product_attention(heads, heads, heads, attn_mask=mask)
        return attended[:, 0]


class TokenTrunk(nn.Module):
    """Waveforms to tokens of 20 ms, in blocks."""

    rate, dim, depth = RATE, 2, 2

    def __init__(self, block):
        super().__init__()
        self.block = block

    @property
    def blocks(self):
        return (self.block,)

    @property
    def tokens(self):
        return Tokens(0.01, 0.02)

    def forward(self, waves):
        energy = waves.unflatten(1, (-1, 320)).square().mean(-1)
        found = self.block(torch.stack([energy, 2 * energy], -1))
        frames = found[0] if isinstance(found, tuple) else found
        return torch.stack([frames.sum((1, 2)), torch.zeros(len(waves))], 1)


def listen_to_token(when, block=Gated):
    """A subject of tokens that hears one of them."""
    trunk = TokenTrunk(block(int(when / 0.02)))
    return Subject(("a", "b"), RATE, trunk, trunk=trunk)


def find_peak(subject, inputs, relevance, clip=0):
    """When the relevance of a clip is greatest, in s; the middle of a plateau; and the length of a cell."""
    grid = relevance.grid or subject.find_grid(inputs)
    values = relevance.values if relevance.grid else subject.project(relevance.values)
    over_time = values[clip].abs() if values.ndim == 2 else values[clip].abs().sum(0)
    high = (over_time >= 0.999 * over_time.max()).numpy()
    return float(grid.times[high].mean()), grid.step
