"""What a probe reaches without the embedding's knowledge: other targets, untrained networks, plain spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ser.errors import InputError
from ser.explainer.probing.residuals import permute_within
from ser.explainer.probing.ridge import Solver
from ser.explainer.probing.scores import find_r2

#: Permutations that are solved at once.
AT_ONCE = 20
#: Draws of the identity control.
IDENTITIES = 10


def permute_targets(
    solvers: Sequence[Solver], targets: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """R2 [B, T] of probes of targets that were permuted within groups, all of a clip's together.

    Args:
        solvers: of the folds.
        targets: of all rows [N, T].
        groups: number of each row's speaker and class [N].
        count: permutations B.
        seed: of them.
    """
    rng = np.random.default_rng(seed)
    found = []
    for first in range(0, count, AT_ONCE):
        orders = [permute_within(groups, rng) for _ in range(min(AT_ONCE, count - first))]
        moved = np.concatenate([targets[order] for order in orders], axis=1)
        found.append(score_pooled(solvers, moved).reshape(len(orders), -1))
    return np.concatenate(found)


def score_pooled(solvers: Sequence[Solver], targets: np.ndarray) -> np.ndarray:
    """R2 [T] of probes over the test rows of all folds."""
    sums = np.zeros((7, targets.shape[1]))
    for solver in solvers:
        solution = solver.solve(targets)
        true = solver.adjust(targets, solver.division.train)[solver.division.test] - solution.mean
        sums[3] += (true**2).sum(0)
        sums[6] += ((true - solution.predicted + solution.mean) ** 2).sum(0)
    return find_r2(sums)


def make_identities(
    targets: np.ndarray, speakers: np.ndarray, sentences: np.ndarray | None, seed: int, draws: int = IDENTITIES
) -> np.ndarray:
    """Control targets [N, T * draws] that say who speaks which sentence, and nothing of how (Hewitt & Liang, 2019).

    Every speaker and every sentence has a random number; their sums, with a little noise that tells clips of one pair
    apart, are given the values of the target in order, so that the distribution is the same.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        total = 1e-3 * rng.standard_normal(len(targets))
        for names in (speakers, sentences):
            if names is not None:
                total += rng.standard_normal(names.max() + 1)[names]
        places = rankdata(total, method="ordinal").astype(int) - 1
        found.append(np.sort(targets, axis=0)[places])
    return np.concatenate(found, axis=1)


class Untrained:
    """A backbone with random weights of the same architecture.

    Args:
        backbone: which.
        seed: of the weights.
    """

    frames = True
    pretrained = False

    def __init__(self, backbone: Any, seed: int = 0) -> None:
        self.backbone = backbone
        self.seed = seed
        self.rate = int(backbone.rate)
        self.layer = backbone.layer

    def identify(self) -> dict[str, object]:
        """As the backbone, and the seed of the weights."""
        return {**self.backbone.identify(), "untrained": self.seed}

    def build(self) -> Any:
        """The network with weights as its modules draw them before training."""
        import torch

        from ser.explainer.evaluation.randomise import draw_weights

        network = self.backbone.build()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed)
            for module in network.modules():
                draw_weights(module)
        return network


class LogMelStatistics:
    """Mean and standard deviation over time of a log-mel spectrogram: 64 bands, window 25 ms, hop 10 ms, in dB.

    Args:
        rate: sampling rate in Hz at which clips are read.
    """

    frames = False
    mels, fft, window, hop = 64, 1024, 0.025, 0.01

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._mel: Any = None

    def identify(self) -> dict[str, object]:
        """Name and parameters."""
        sizes = {"mels": self.mels, "fft": self.fft, "window": self.window, "hop": self.hop}
        return {"extractor": "logmel_statistics", "rate": self.rate, **sizes}

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Vector [128] of a waveform [T]."""
        import torch

        from ser.backbone.mel_cnn import LogMel

        if not len(waveform):
            raise InputError("an empty clip has no spectrum")
        if self._mel is None:
            self._mel = LogMel(
                self.rate, self.mels, self.fft, round(self.window * self.rate), round(self.hop * self.rate)
            )
        with torch.inference_mode():
            mel, _ = self._mel(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
        return torch.cat([mel[0].mean(-1), mel[0].std(-1, correction=0)]).numpy()
