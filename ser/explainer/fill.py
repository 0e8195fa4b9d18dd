"""What stands where a part of a clip was removed: no sound, noise like the clip, its mean spectrum, or a bridge.

No fill is neutral. Silence is far from anything that a network was trained on, and changes the statistics of those that
normalise a clip; the others keep level and colour. Scores of explanations therefore name the fill.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from ser.errors import InputError
from ser.explainer.subject import Subject

FILLS: Final = ("silence", "noise", "mean_spec", "interp")
#: Seconds over which a waveform fades into its fill, inside what is removed: a click at the edge would be a cue.
FADE: Final = 0.005
#: Seconds of the frames in which spectra of waveforms are measured.
FRAME: Final = 0.02
#: Hz over which those are smoothed, so that they carry no pitch.
SMOOTH: Final = 350.0
#: Noise on interpolated spectra, in standard deviations of each band, so that a straight line is no cue.
RIPPLE: Final = 0.1
#: Below this share of a bin's mean power its level counts as this, in waveforms: zeros have no level.
FLOOR: Final = 1e-6


class Filler:
    """Fills removed elements of one clip; the same seed gives the same fill whatever is removed together.

    Spectrograms, whose cells are logarithmic: ``silence`` is the value of empty cells; ``mean_spec`` each band's mean;
    ``noise`` the mean with Gaussian fluctuation of the band's standard deviation, within the clip's range; ``interp``
    a straight line over time, in each band, from the last cell before to the first one after, with a little noise
    (after Rong et al., 2022, A consistent and efficient evaluation strategy for attribution methods, ICML; there the
    line is a plane through all neighbours). A band without any kept cell gets its mean.

    Waveforms: ``silence`` is zeros; ``noise`` the clip with random phases, which has its level and long-term spectrum;
    ``mean_spec`` noise with the clip's spectrum averaged in dB, as on spectrograms; ``interp`` noise whose spectrum
    goes, in dB, straight from that of the 20 ms before to that of the 20 ms after. The waveform fades into its fill
    within the first and last 5 ms of what is removed, so that what is kept stays as it was and no click is heard;
    a part of less than 5 ms between kept ones thus is not removed.

    Args:
        subject: whose input it is.
        inputs: of one clip [1, M, F] or [1, T].
        kind: one of :data:`FILLS`.
        seed: of the noise.

    Raises:
        InputError: another kind.
    """

    def __init__(self, subject: Subject, inputs: Tensor, kind: str, seed: int = 0) -> None:
        if kind not in FILLS:
            raise InputError(f"fill={kind}", expected=", ".join(FILLS))
        if len(inputs) != 1:
            raise ValueError("a filler is made for one clip")
        self.inputs = inputs
        self.random = torch.Generator().manual_seed(seed)
        self.fade = 0 if subject.spectral else round(FADE * subject.rate)
        self.bridge: _SpectrogramBridge | _WaveformBridge | None = None
        self.filling: Tensor | None = None
        if kind == "silence":
            self.filling = self._make_silence(subject)
        elif subject.spectral:
            self._fill_spectrogram(kind)
        else:
            self._fill_waveform(kind, subject.rate)

    def apply(self, keep: Tensor) -> Tensor:
        """The clip with elements removed.

        Args:
            keep: which elements stay [N, M, F] or [N, T], bool.

        Returns:
            [N, M, F] or [N, T]; what is kept is unchanged.
        """
        filling = self.filling if self.bridge is None else self.bridge.fill(keep)
        assert filling is not None
        if not self.fade:
            return torch.where(keep, self.inputs, filling)
        return torch.lerp(filling, self.inputs, fade(keep, self.fade))

    def _make_silence(self, subject: Subject) -> Tensor:
        if subject.spectrogram is None:
            return torch.zeros_like(self.inputs)
        lowest = self.inputs.min()
        # A floor that the clip sets itself (Whisper's lies 80 dB below its loudest cell) shows as a minimum many share.
        shared = (self.inputs == lowest).sum() > 1
        value = lowest if shared else self.inputs.new_tensor(subject.spectrogram.silence)
        return value.expand_as(self.inputs)

    def _fill_spectrogram(self, kind: str) -> None:
        mean = self.inputs.mean(-1, keepdim=True).expand_as(self.inputs)
        noise = draw(self.inputs.shape, self.random, self.inputs) * self.inputs.std(-1, correction=0, keepdim=True)
        low, high = self.inputs.min(), self.inputs.max()
        if kind == "interp":
            self.bridge = _SpectrogramBridge(self.inputs, mean, RIPPLE * noise)
        else:
            self.filling = mean if kind == "mean_spec" else (mean + noise).clamp(low, high)

    def _fill_waveform(self, kind: str, rate: int) -> None:
        if kind == "noise":
            self.filling = randomise_phases(self.inputs, self.random)
            return
        bridge = _WaveformBridge(self.inputs, rate, self.random)
        if kind == "interp":
            self.bridge = bridge
        else:
            self.filling = bridge.colour(bridge.mean)


class _SpectrogramBridge:
    """Straight lines over what is removed from a spectrogram [1, M, F]."""

    def __init__(self, inputs: Tensor, mean: Tensor, ripple: Tensor) -> None:
        self.inputs, self.mean, self.ripple = inputs, mean, ripple

    def fill(self, keep: Tensor) -> Tensor:
        """Fills [N, M, F] for what stays [N, M, F]."""
        return interpolate(self.inputs, keep, self.mean) + self.ripple


class _WaveformBridge:
    """Noise that leads from the spectrum before a removed part of a waveform [1, T] to that after it."""

    def __init__(self, inputs: Tensor, rate: int, random: torch.Generator) -> None:
        self.size = 2 * max(1, round(FRAME * rate / 2))
        self.hop = self.size // 2
        self.length = inputs.shape[-1]
        self.rest = -self.length % self.hop
        self.window = torch.hann_window(self.size, device=inputs.device)
        power = self._analyse(inputs).abs() ** 2
        bins = 2 * (round(SMOOTH * self.size / rate) // 2) + 1
        power = avg_pool1d(power.transpose(1, 2), bins, 1, bins // 2, count_include_pad=False).transpose(1, 2)
        floor = (FLOOR * power.mean(-1, keepdim=True)).clamp(min=1e-20)
        self.levels = torch.maximum(power, floor).log()
        self.mean = self.levels.mean(-1, keepdim=True).expand_as(self.levels)
        # Power of a bin of white noise of variance one is the sum of the squared window.
        self.noise = self._analyse(draw(inputs.shape, random, inputs)) / self.window.square().sum().sqrt()

    def fill(self, keep: Tensor) -> Tensor:
        """Fills [N, T] for what stays [N, T]."""
        # Only frames with nothing removed in them say what is before and after.
        whole = box_sum(~keep, self.size // 2)[:, :: self.hop] == 0
        frames = self.levels.shape[-1]
        whole = pad(whole, (0, max(0, frames - whole.shape[-1])))[:, None, :frames]
        return self.colour(interpolate(self.levels, whole, self.mean))

    def colour(self, levels: Tensor) -> Tensor:
        """Noise [N, T] with the logarithmic power [N, bins, frames]."""
        spectra = self.noise * (levels / 2).exp()
        padded = self.length + self.rest
        return torch.istft(spectra, self.size, self.hop, window=self.window, length=padded)[:, : self.length]

    def _analyse(self, waveform: Tensor) -> Tensor:
        """Spectra [1, bins, frames] of a waveform [1, T]; frame i is centred on sample i * hop."""
        padded = pad(waveform, (0, self.rest))
        return torch.stft(padded, self.size, self.hop, window=self.window, pad_mode="constant", return_complex=True)


def interpolate(values: Tensor, keep: Tensor, otherwise: Tensor) -> Tensor:
    """Straight lines along the last axis between kept values.

    Beyond the first and the last kept one these go on; where none is kept in a row there is ``otherwise``.

    Args:
        values: [1, M, F].
        keep: [N, M, F], or [N, 1, F] for all rows alike.
        otherwise: [1, M, F].
    """
    count = keep.shape[-1]
    place = torch.arange(count, device=keep.device).expand_as(keep)
    before = torch.where(keep, place, -1).cummax(-1).values
    after = torch.where(keep, place, count).flip(-1).cummin(-1).values.flip(-1)
    any_before, any_after = before >= 0, after < count
    before, after = torch.where(any_before, before, after), torch.where(any_after, after, before)
    weight = (place - before) / (after - before).clamp(min=1)
    shape = (len(keep), values.shape[1], count)
    rows = values.expand(shape)
    first, last = (rows.gather(-1, where.clamp(0, count - 1).expand(shape)) for where in (before, after))
    return torch.where(any_before | any_after, torch.lerp(first, last, weight.expand(shape).to(first)), otherwise)


def fade(keep: Tensor, length: int) -> Tensor:
    """Weight [N, T] of what stays [N, T]: 1 there, and down to 0 within ``length`` samples outside."""
    half = length // 2
    near = box_sum(keep, half) > 0
    inside = box_sum(torch.ones_like(keep[:1]), half)
    return box_sum(near, half) / inside


def box_sum(flags: Tensor, half: int) -> Tensor:
    """How many flags [N, T] hold within ``half`` samples to either side [N, T]."""
    total = pad(flags, (half + 1, half)).cumsum(-1, dtype=torch.int32)
    return total[:, 2 * half + 1 :] - total[:, : flags.shape[-1]]


def randomise_phases(waveform: Tensor, random: torch.Generator) -> Tensor:
    """Noise [1, T] with the amplitudes of a waveform [1, T] at every frequency, and so its level."""
    spectrum = torch.fft.rfft(waveform)
    phases = torch.rand(spectrum.shape, generator=random) * 2 * math.pi
    turned = torch.polar(spectrum.abs(), phases.to(waveform.device))
    # The lowest frequency, and the highest one of an even length, have no phase.
    turned[:, 0] = spectrum[:, 0]
    if waveform.shape[-1] % 2 == 0:
        turned[:, -1] = spectrum[:, -1]
    return torch.fft.irfft(turned, n=waveform.shape[-1])


def draw(shape: torch.Size, random: torch.Generator, like: Tensor) -> Tensor:
    """Gaussian noise, drawn on the CPU so that every device has the same."""
    return torch.randn(shape, generator=random).to(like)
