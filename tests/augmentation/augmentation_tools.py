"""Clips whose content is known, batches of them, and what can be measured on them."""

import numpy as np
import torch

from ser.augmentation.base import pad

RATE = 16000


def make_voice(seconds=1.0, f0=150.0, rate=RATE, level=0.3):
    """A harmonic tone [n] with ten partials."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    partials = [torch.cos(2 * torch.pi * f0 * k * time + k) / k for k in range(1, 11)]
    wave = torch.stack(partials).sum(0)
    return (level * wave / wave.abs().max()).float()


def make_noise(seconds=1.0, seed=0, level=0.1, rate=RATE):
    """White noise [n]."""
    return level * torch.randn(round(seconds * rate), generator=torch.Generator().manual_seed(seed))


def measure_f0(clip, about, rate=RATE):
    """F0 in Hz, within 4 semitones of where it is looked for: the autocorrelation's highest peak, between samples."""
    clip = clip.double().numpy() - float(clip.double().mean())
    spectrum = np.abs(np.fft.rfft(clip, 2 * len(clip))) ** 2
    likeness = np.fft.irfft(spectrum)[: len(clip)] / np.arange(len(clip), 0, -1)
    lags = np.arange(int(rate / about / 1.26), int(rate / about * 1.26))
    lag = lags[likeness[lags].argmax()]
    before, at, after = likeness[lag - 1 : lag + 2]
    return rate / (lag + 0.5 * (before - after) / (before - 2 * at + after))


def measure_snr(clean, noisy):
    """In dB."""
    return float(10 * torch.log10(clean.square().sum() / (noisy - clean).square().sum()))


def augment(augmentation, clips, seed=0, padding=0, rate=RATE):
    """Augment clips as one batch with further padding."""
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = pad(clips, int(lengths.max()) + padding)
    return augmentation.augment(batch, lengths, rate, torch.Generator().manual_seed(seed))


def change(augmentation, clip, seed=0, rate=RATE):
    """One clip [n], augmented."""
    return augment(augmentation, [clip], seed, rate=rate).waveforms[0]
