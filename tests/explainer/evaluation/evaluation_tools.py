"""A model whose margin is a sum over the elements of a spectrogram, so that the effect of removing any is known.

And untrained real ones.
"""

import numpy as np
import torch
from torch import nn

from ser.backbone.mel_cnn import MelCNN
from ser.chosen import build_trunk
from ser.config import compose
from ser.explainer.attribution import Attribution, Cost
from ser.explainer.clip import Clip
from ser.explainer.evaluation import CellSize, Evaluation
from ser.explainer.evaluation.probe import Probe
from ser.explainer.subject import Subject
from ser.head.emotion_network import Shape
from ser.head.end_to_end import EndToEnd, FromSpectrogram, FromWaveform
from ser.head.network import NetworkHead

RATE, BANDS, FRAMES = 16000, 8, 40
STEP = 0.01
EMOTIONS = ("anger", "sadness")


class Additive(nn.Module):
    """Logits [B, 2]: a weighted sum of the elements of [B, M, F], and zero."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(weights, dtype=torch.float32))

    def forward(self, inputs):
        total = (inputs[..., : self.weights.shape[-1]] * self.weights).sum((1, 2))
        return torch.stack([total, torch.zeros_like(total)], 1)


def make_weights(seed=0):
    """Weights [bands, frames] that are alike within cells of 50 ms and two bands."""
    coarse = np.random.default_rng(seed).normal(size=(BANDS // 2, FRAMES // 5))
    return np.repeat(np.repeat(coarse, 2, 0), 5, 1)


def make_subject(weights=None):
    """The model, which reads spectrograms of the mel CNN's front end."""
    trunk = MelCNN(rate=RATE, mels=BANDS, fft=256, window=256, hop=160, width=2).build()
    return Subject(EMOTIONS, RATE, Additive(make_weights() if weights is None else weights), trunk=trunk)


def make_clip(subject, name="a", speaker="s1", seed=0, true="anger", row=None):
    """A clip of random cells far above silence, for which the first emotion wins."""
    random = np.random.default_rng(seed)
    weights = subject.network.weights.numpy()
    inputs = torch.from_numpy(random.normal(size=(1, *weights.shape)) + np.sign(weights)).float()
    wave = (0.1 * random.normal(size=FRAMES * 160 - 160)).astype(np.float32)
    return Clip(name, "toys", speaker, true, "anger", inputs, torch.tensor([0]), wave, 0.0, row or {})


def make_clips(subject, count=4):
    """Clips of two speakers, every other one misrecognised."""
    return [
        make_clip(subject, f"clip{n}", f"s{n % 2}", n, "anger" if n < count / 2 else "sadness") for n in range(count)
    ]


def make_map(subject, clip, values, method="exact", reasons=()):
    """An attribution of values [bands, frames]."""
    grid = subject.find_grid(clip.inputs)
    score, cost = float(subject.score(clip.inputs)[0, 0]), Cost(2, 1, 0.5)
    axes = (grid.times + clip.offset, grid.freqs, grid.step)
    names = ("anger", clip.predicted, clip.true)
    return Attribution(
        clip.clip, method, np.asarray(values, dtype=np.float32), *axes, *names, score, reasons=reasons, cost=cost
    )


def make_exact(subject, clip, method="exact", factor=1):
    """What each element adds to the margin compared with the mean spectrum, or a multiple of it."""
    values = factor * subject.network.weights * (clip.inputs - clip.inputs.mean(-1, keepdim=True))
    return make_map(subject, clip, values[0].numpy(), method)


def make_real(choice):
    """An untrained network of a YAML in conf/backbone with a linear head."""
    trunk = build_trunk(compose([f"backbone={choice}", "finetune=full"]))
    torch.manual_seed(0)
    top = NetworkHead().build(2, Shape("audio", ()), trunk)
    whole = EndToEnd(top.backbone, top, trunk.reading, Shape("audio", ()), EMOTIONS, ()).eval()
    network = FromSpectrogram(whole) if choice.startswith("mel") else FromWaveform(whole)
    return Subject(EMOTIONS, RATE, network, trunk=top.backbone)


def make_real_clip(subject, name="a", speaker="s1", seed=0):
    """Half a second of noise that swells and fades, said to be what the model takes it for."""
    random = np.random.default_rng(seed)
    wave = (0.1 * random.normal(size=RATE // 2) * np.sin(np.linspace(0, np.pi, RATE // 2))).astype(np.float32)
    inputs = subject.encode(torch.from_numpy(wave)[None])
    place = subject.score(inputs).argmax(-1)
    emotion = subject.emotions[int(place)]
    return Clip(name, "toys", speaker, emotion, emotion, inputs, place, wave, 0.0, {})


def make_probe(subject, clip, size=None):
    """The clip in cells of 50 ms and two bands."""
    return Probe(subject, clip, (size or CellSize(0.05, 4)).cut(subject, clip), 0)


def make_evaluation(**changes):
    """A small evaluation, whose fill leaves the model additive."""
    return Evaluation(
        **{"cells": CellSize(0.05, 4), "steps": 8, "fills": ("mean_spec",), "masks": 64, "again": 2} | changes
    )
