"""From frames to one vector a clip; frames beyond a clip's end never count.

Fixed statistics need no training, so a frozen backbone's are kept in the feature store
(:mod:`ser.backbone.statistics` computes the same from there without torch). The others learn what to listen to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ser.backbone.masked import MaskedBatchNorm2d, make_mask

__all__ = ["AttentionPooling", "AttentiveStatistics", "EcapaPooling", "LayerMix", "StatisticsPooling", "make_mask"]


def take_sum(frames: Tensor, lengths: Tensor) -> Tensor:
    """Sum over a clip's own frames: [B, F, D] and lengths [B] to [B, D]."""
    return (frames * make_mask(lengths, frames.shape[1]).unsqueeze(-1)).sum(1)


def take_mean(frames: Tensor, lengths: Tensor) -> Tensor:
    """Mean over a clip's own frames: [B, F, D] and lengths [B] to [B, D]."""
    return take_sum(frames, lengths) / lengths.clamp(min=1).unsqueeze(-1)


def take_std(frames: Tensor, lengths: Tensor) -> Tensor:
    """Standard deviation (of the population) over a clip's own frames: [B, F, D] and lengths [B] to [B, D]."""
    centred = frames - take_mean(frames, lengths).unsqueeze(1)
    # The root's slope at zero is infinite; a one-frame clip must not break training.
    return (take_mean(centred.square(), lengths) + 1e-10).sqrt()


def take_max(frames: Tensor, lengths: Tensor) -> Tensor:
    """Maximum over a clip's own frames: [B, F, D] and lengths [B] to [B, D]."""
    mask = make_mask(lengths, frames.shape[1]).unsqueeze(-1)
    return frames.masked_fill(~mask, -torch.inf).amax(1)


def take_mean_plus_max(frames: Tensor, lengths: Tensor) -> Tensor:
    """Mean plus maximum over a clip's own frames, as BYOL-A pools (Niizumi et al., 2021): [B, F, D] to [B, D]."""
    return take_mean(frames, lengths) + take_max(frames, lengths)


STATISTICS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": take_mean,
    "std": take_std,
    "max": take_max,
    "sum": take_sum,
    "mean_plus_max": take_mean_plus_max,
}


class StatisticsPooling(nn.Module):
    """Statistics over a clip's own frames side by side: [B, F, D] and lengths [B] to [B, D times their number].

    Args:
        statistics: names from :data:`STATISTICS`.
    """

    def __init__(self, statistics: Sequence[str]) -> None:
        super().__init__()
        self.statistics = tuple(statistics)

    def find_size(self, size: int) -> int:
        """Length of the pooled vector."""
        return size * len(self.statistics)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        return torch.cat([STATISTICS[name](frames, lengths) for name in self.statistics], dim=-1)


def weigh(scores: Tensor, lengths: Tensor) -> Tensor:
    """Softmax over a clip's own frames: scores [B, F, C] to weights that sum to 1 over F and are 0 beyond the end."""
    mask = make_mask(lengths, scores.shape[1]).unsqueeze(-1)
    return scores.masked_fill(~mask, -torch.inf).softmax(1)


def take_weighted_statistics(frames: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean and standard deviation: frames [B, F, D] and weights [B, F, 1 or D] to [B, 2 D]."""
    mean = (frames * weights).sum(1)
    variance = ((frames - mean.unsqueeze(1)).square() * weights).sum(1)
    return torch.cat([mean, (variance + 1e-10).sqrt()], dim=-1)


class AttentionPooling(nn.Module):
    """Mean weighted by one learned score a frame (Bahdanau et al., 2015): [B, F, D] and lengths [B] to [B, D].

    Args:
        size: D.
        hidden: units of the scoring layer.
    """

    def __init__(self, size: int, hidden: int = 128) -> None:
        super().__init__()
        self.size = size
        self.score = nn.Sequential(nn.Linear(size, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def find_size(self, size: int) -> int:
        """Length of the pooled vector."""
        return size

    def weigh(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Weight of each frame [B, F, 1]."""
        return weigh(self.score(frames), lengths)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        return (frames * self.weigh(frames, lengths)).sum(1)


class AttentiveStatistics(AttentionPooling):
    """Weighted mean and standard deviation with one score a frame (Okabe et al., 2018): [B, F, D] to [B, 2 D]."""

    def find_size(self, size: int) -> int:
        """Length of the pooled vector."""
        return 2 * size

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        return take_weighted_statistics(frames, self.weigh(frames, lengths))


class EcapaPooling(nn.Module):
    """ECAPA-TDNN over the frames (Desplanques et al., 2020): [B, F, D] and lengths [B] to [B, embedding].

    A convolution, three squeeze-excitation Res2 blocks, their joint view, statistics weighted by channel and context.

    Args:
        size: D.
        channels: of the convolutions; a multiple of ``scale``.
        scale: parts that a Res2 block divides its channels into.
        bottleneck: units that score frames and gate channels.
        embedding: length of the pooled vector.
    """

    def __init__(
        self, size: int, channels: int = 256, scale: int = 4, bottleneck: int = 64, embedding: int = 192
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.enter = Convolution(size, channels, 5, 1)
        self.blocks = nn.ModuleList(Res2Block(channels, scale, bottleneck, dilation) for dilation in (2, 3, 4))
        joint = 3 * channels
        self.join = Convolution(joint, joint, 1, 1)
        self.score = nn.Sequential(nn.Linear(3 * joint, bottleneck), nn.Tanh(), nn.Linear(bottleneck, joint))
        self.leave = nn.Linear(2 * joint, embedding)

    def find_size(self, size: int) -> int:  # noqa: ARG002 - poolings are alike
        """Length of the pooled vector."""
        return self.embedding

    def weigh(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Weight of each frame and channel [B, F, 3 channels], for frames that passed the blocks."""
        context = torch.cat([take_mean(frames, lengths), take_std(frames, lengths)], dim=-1)
        return weigh(self.score(torch.cat([frames, context.unsqueeze(1).expand(-1, frames.shape[1], -1)], -1)), lengths)

    def listen(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Frames [B, F, 3 channels] as the statistics see them."""
        mask = make_mask(lengths, frames.shape[1])[:, None, None].to(frames.dtype)
        x = self.enter(frames.transpose(1, 2), mask)
        heard = []
        for block in self.blocks:
            x = block(x, mask)
            heard.append(x)
        return self.join(torch.cat(heard, dim=1), mask).transpose(1, 2)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        heard = self.listen(frames, lengths)
        return self.leave(take_weighted_statistics(heard, self.weigh(heard, lengths)))


class Convolution(nn.Module):
    """Convolution over time, ReLU and batch normalisation of [B, C, F]; what lies beyond a clip's end stays zero."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.convolve = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)
        self.norm = MaskedBatchNorm2d(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Compute; ``mask`` [B, 1, 1, F] is 1 inside the clips."""
        return self.norm(self.convolve(x * mask[:, 0]).relu().unsqueeze(2), mask).squeeze(2)


class Res2Block(nn.Module):
    """Res2 convolution between two pointwise ones, gated by channel (squeeze and excitation), with a shortcut."""

    def __init__(self, channels: int, scale: int, bottleneck: int, dilation: int) -> None:
        super().__init__()
        self.before, self.after = Convolution(channels, channels, 1, 1), Convolution(channels, channels, 1, 1)
        width = channels // scale
        self.parts = nn.ModuleList(Convolution(width, width, 3, dilation) for _ in range(scale - 1))
        self.gate = nn.Sequential(
            nn.Linear(channels, bottleneck), nn.ReLU(), nn.Linear(bottleneck, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Compute; ``mask`` [B, 1, 1, F] is 1 inside the clips."""
        first, *rest = self.before(x, mask).chunk(len(self.parts) + 1, dim=1)
        made = [first]
        for part, convolve in zip(rest, self.parts, strict=True):
            made.append(convolve(part + made[-1] if len(made) > 1 else part, mask))
        y = self.after(torch.cat(made, dim=1), mask)
        inside = mask[:, 0]
        return x + y * self.gate((y * inside).sum(-1) / inside.sum(-1).clamp(min=1)).unsqueeze(-1)


class LayerMix(nn.Module):
    """Mean of L hidden states with learned softmax weights (Yang et al., 2021): [B, L, …] to [B, …].

    All layers weigh alike at first.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(depth))

    @property
    def weights(self) -> Tensor:
        """Weight of each layer [L]; they sum to 1."""
        return self.scores.softmax(0)

    def forward(self, hidden: Tensor) -> Tensor:
        """Mix."""
        return torch.tensordot(hidden.movedim(1, -1), self.weights, dims=1)
