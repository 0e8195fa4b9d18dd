"""A fitted model as explainers see it: inputs whose cells can be explained, and scores of classes.

A network that reads spectrograms is explained on them, one that reads waveforms on those. A model that is no network
(an SVM on openSMILE's functionals, say) can only be asked what it makes of changed waveforms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ser.audio.prepare import Preparation
from ser.backbone.base import Tokens
from ser.backbone.spectrogram import SpectrogramGrid, SpectrogramNetwork
from ser.errors import InputError
from ser.explainer.base import Grid
from ser.head.data import Predictions
from ser.head.emotion_network import Shape
from ser.head.end_to_end import FromSpectrogram, FromWaveform
from ser.head.network import FittedNetwork, NetworkHead
from ser.head.trunk import Trunk
from ser.model import TrainedModel

#: Cells of explanations of waveforms, in s: relevance of samples is summed over them.
FRAME = 0.01
#: Clips that are scored at once.
AT_ONCE = 64


class Subject:
    """A model of K emotions.

    Args:
        emotions: its classes, in the order of its scores.
        rate: sampling rate in Hz at which it hears clips.
        network: inputs [B, M, F] or [B, T] of equally long clips, without padding, to logits [B, K]; ``None``: a model
            without gradients.
        ask: waveforms [B, T] to log probabilities [B, K], of a model without a network.
        trunk: the frame network inside ``network``, for explainers that look at its blocks.
        device: where inputs go.

    Attributes:
        spectral: whether inputs are spectrograms.
        differentiable: whether there are gradients.
    """

    def __init__(
        self,
        emotions: Sequence[str],
        rate: int,
        network: nn.Module | None = None,
        ask: Callable[[np.ndarray], np.ndarray] | None = None,
        trunk: Any = None,
        device: torch.device | None = None,
    ) -> None:
        if (network is None) == (ask is None):
            raise ValueError("a subject is a network, or a function that scores waveforms")
        self.emotions = tuple(emotions)
        self.rate = rate
        self.device = device or torch.device("cpu")
        self.network = None if network is None else network.eval().requires_grad_(False).to(self.device)
        self.ask = ask
        self.trunk = trunk
        self.spectral = network is not None and isinstance(trunk, SpectrogramNetwork)
        self.differentiable = network is not None

    def copy(self) -> Subject:
        """The same model with parameters of its own, which may be changed.

        Raises:
            InputError: there is no network.
        """
        self.require_gradients("a copy with other weights")
        network, trunk = deepcopy((self.network, self.trunk))
        return Subject(self.emotions, self.rate, network, trunk=trunk, device=self.device)

    @property
    def spectrogram(self) -> SpectrogramGrid | None:
        """Of the inputs, if they are spectrograms."""
        return self.trunk.grid if self.spectral else None

    def encode(self, waveforms: Tensor) -> Tensor:
        """Inputs of equally long waveforms [B, T]: spectrograms [B, M, F], or the waveforms themselves."""
        waveforms = waveforms.to(self.device, torch.float32)
        if not self.spectral:
            return waveforms
        with torch.no_grad():
            lengths = torch.full((len(waveforms),), waveforms.shape[1], device=self.device)
            return self.trunk.look(waveforms, lengths)[0].detach()

    def score(self, inputs: Tensor) -> Tensor:
        """Logits [B, K] of inputs, without gradients; log probabilities of models that have none."""
        if self.network is None:
            assert self.ask is not None
            return torch.as_tensor(self.ask(inputs.cpu().numpy()), dtype=torch.float32)
        with torch.no_grad():
            return torch.cat([self.network(part) for part in inputs.split(AT_ONCE)])

    def find_grid(self, inputs: Tensor) -> Grid:
        """Where the cells of explanations of inputs lie: the spectrogram's own, or frames of :data:`FRAME`."""
        if self.spectrogram is not None:
            times = np.arange(inputs.shape[-1]) * self.spectrogram.step
            return Grid(times, self.spectrogram.step, self.spectrogram.freqs)
        size = round(FRAME * self.rate)
        frames = -(-inputs.shape[-1] // size)
        return Grid((np.arange(frames) + 0.5) * size / self.rate, size / self.rate)

    def find_token_grid(self, count: int) -> Grid:
        """Where ``count`` frames of the network's blocks lie."""
        tokens: Tokens = self.trunk.tokens
        return Grid(tokens.first + np.arange(count) * tokens.step, tokens.step)

    def project(self, values: Tensor) -> Tensor:
        """Values on the cells of inputs to those of :meth:`find_grid`: samples [B, T] are summed over frames [B, F]."""
        if self.spectral:
            return values
        size = round(FRAME * self.rate)
        padded = nn.functional.pad(values, (0, -values.shape[-1] % size))
        return padded.unflatten(-1, (-1, size)).sum(-1)

    def require_gradients(self, name: str) -> nn.Module:
        """The network.

        Raises:
            InputError: there is none.
        """
        if self.network is None:
            raise InputError(
                f"explainer={name}: it needs gradients, and this model has none",
                expected="a head that is a network (linear, mlp) on a backbone that is one",
                remedy="choose explainer=segments, which asks any model about changed clips",
            )
        return self.network


def make_subject(model: TrainedModel) -> Subject:
    """A model of a finished run as explainers see it.

    Raises:
        InputError: a model of numbers; margins are of classes.
    """
    if not model.emotions:
        raise InputError(
            "run: its model predicts numbers, and margins are of classes",
            remedy="explain a run with dataset.target=emotion",
        )
    if not model.is_network:
        return Subject(model.emotions, model.rate, ask=lambda waveforms: ask_model(model, waveforms))
    whole = model.network
    spectral = isinstance(whole.backbone, SpectrogramNetwork)
    network = FromSpectrogram(whole) if spectral else FromWaveform(whole)
    device = next(whole.parameters()).device
    return Subject(model.emotions, model.rate, network, trunk=whole.backbone, device=device)


def make_untrained(trunk: Trunk, head: Any) -> Subject:
    """What a trunk and a head would become, with random weights above the backbone's: enough to check an explainer."""
    if not (trunk.backbone.frames and isinstance(head, NetworkHead)):
        return Subject(("a", "b"), trunk.backbone.rate, ask=lambda waveforms: np.zeros((len(waveforms), 2)))
    fitted = FittedNetwork(head.build(2, Shape("audio", ()), trunk), ("a", "b"), Shape("audio", ()), 1)
    return make_subject(TrainedModel("untrained", trunk, Preparation(), fitted, "cpu"))


def ask_model(model: TrainedModel, waveforms: np.ndarray) -> np.ndarray:
    """Log probabilities [B, K] of waveforms [B, T]; none below 1e-12, so that all are finite."""
    predicted = model.predict(list(waveforms))
    assert isinstance(predicted, Predictions)
    return np.log(np.clip(predicted.probabilities, 1e-12, None))
