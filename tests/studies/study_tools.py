"""Small sounds, and what tests of whole runs say and hear."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 16000
PITCH = {"anger": 330.0, "neutral": 210.0, "sadness": 130.0, "surprise": 440.0}
#: A network small enough for tests.
TINY_CNN = ["backbone=mel_cnn", "backbone.width=2", "backbone.mels=16", "backbone.fft=512"]


@dataclass(frozen=True)
class Spoken:
    """A generated corpus: its folder, its table, and how a command names it."""

    folder: Path
    table: Path

    @property
    def overrides(self):
        return ["dataset=csv", f"dataset.path={self.table}"]


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def folder(self):
        """The directory that the command printed last."""
        return Path(self.out.strip().splitlines()[-1])


def make_tone(pitch, seed, seconds, rate=RATE):
    """Harmonics with vibrato and a little noise; every seed sounds different."""
    draw = np.random.default_rng(seed)
    time_axis = np.arange(round(seconds * rate)) / rate
    f0 = pitch * draw.uniform(0.92, 1.08) * (1 + 0.02 * np.sin(2 * np.pi * draw.uniform(4, 7) * time_axis))
    phase = 2 * np.pi * np.cumsum(f0) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 6))
    wave = 0.15 * tone + 0.01 * draw.standard_normal(len(time_axis))
    return np.clip(wave, -0.99, 0.99).astype(np.float32)


def make_noise(seed, seconds, rate=RATE):
    wave = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return wave.clip(-0.99, 0.99).astype(np.float32)


def count_threads():
    """Threads of torch here, so that processes compute what this one would, bit by bit."""
    import torch

    return torch.get_num_threads()


def kill_group(process):
    """``kill -9`` for a process and all its children."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
