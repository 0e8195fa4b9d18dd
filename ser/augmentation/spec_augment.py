"""SpecAugment (Park et al., 2019): masks on log-mel spectrograms, inside a network while it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.head.pooling import make_mask


class SpecAugment(nn.Module):
    """Masks bands and frames of log-mel spectrograms with the clip's own mean; in evaluation it does nothing.

    Draws from torch's global random state, as dropout does. The defaults are the paper's policy LD, whose bands are
    of 80 and whose frames are 10 ms apart; time warping, which the paper finds to matter least, is left out.

    Args:
        frequency_masks: masks over bands for each clip.
        max_bands: widest of them, in mel bands; widths are drawn uniformly from 0 on.
        time_masks: masks over time for each clip.
        max_frames: longest of them, in frames.
        max_share: longest of them, as share of the clip's own frames.

    Raises:
        InputError: a number below 0, or a share above 1.
    """

    def __init__(
        self,
        frequency_masks: int = 2,
        max_bands: int = 27,
        time_masks: int = 2,
        max_frames: int = 100,
        max_share: float = 0.2,
    ) -> None:
        super().__init__()
        if min(frequency_masks, max_bands, time_masks, max_frames, max_share) < 0 or max_share > 1:
            raise InputError("SpecAugment: a number below 0, or max_share above 1", expected="max_share from 0 to 1")
        self.frequency_masks = frequency_masks
        self.max_bands = max_bands
        self.time_masks = time_masks
        self.max_frames = max_frames
        self.max_share = max_share

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Log-mel [B, mels, F] and lengths [B] in frames to the same with masks; padding stays as it is."""
        if not self.training:
            return mel
        lengths = lengths.to(mel.device)
        inside = make_mask(lengths, mel.shape[2])[:, None, :]
        own = lengths.clamp(min=1)[:, None, None] * mel.shape[1]
        mean = (mel * inside).sum((1, 2), keepdim=True) / own
        bands = torch.full_like(lengths, mel.shape[1])
        masked = draw_spans(bands, bands.clamp(max=self.max_bands), mel.shape[1], self.frequency_masks)[:, :, None]
        longest = (lengths * self.max_share).long().clamp(max=self.max_frames)
        masked = masked | draw_spans(lengths, longest, mel.shape[2], self.time_masks)[:, None, :]
        return torch.where(masked & inside, mean.to(mel.dtype), mel)


def draw_spans(sizes: Tensor, limits: Tensor, width: int, count: int) -> Tensor:
    """True within ``count`` spans a row, at most ``limits`` [B] wide and inside the first ``sizes`` [B]: [B, width]."""
    draws = torch.rand(2, len(sizes), count, device=sizes.device)
    widths = (draws[0] * (limits[:, None] + 1)).long()
    starts = (draws[1] * (sizes[:, None] - widths + 1)).long()
    places = torch.arange(width, device=sizes.device)[None, None, :]
    return ((places >= starts[..., None]) & (places < (starts + widths)[..., None])).any(1)
