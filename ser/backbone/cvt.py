"""The convolutional transformer (CvT) of Hybrid BYOL-S (Elbanna et al., 2022, arXiv:2203.16637).

Structure and names of the weights follow ``byol_a/models/cvt.py`` of github.com/GasserElbanna/serab-byols, which takes
CvT (Wu et al., ICCV 2021, arXiv:2103.15808) without its class token; the sizes of the published checkpoint
``cvt_s1-d1-e64_s2-d1-e256_s3-d1-e512_BYOLAs64x96-osandbyolaloss6373-e100-bs256-lr0003-rs42.pth`` are those of
``serab_byols/config.yaml`` (depths 1, widths 64, 256 and 512, expansion 4, pooling mean+max). The published pooling is
left to the head. Padding is zeroed before each layer that looks along time and left out of attention.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ser.backbone.byol_network import Encoder
from ser.backbone.masked import MaskedBatchNorm2d
from ser.backbone.mel_cnn import halve, mask_time


class ChannelNorm(nn.Module):
    """Normalise the channels of [B, C, H, T] at each place; epsilon is added to the standard deviation."""

    epsilon = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        centred = x - x.mean(1, keepdim=True)
        # The root's slope at zero is infinite; a place with equal channels must not break training.
        deviation = centred.square().mean(1, keepdim=True).clamp(min=1e-12).sqrt()
        return centred / (deviation + self.epsilon) * self.g + self.b


class Projection(nn.Module):
    """A 3x3 convolution of each channel by itself, batch normalisation, and a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.net = nn.ModuleList([depthwise, MaskedBatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 1, bias=False)])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """[B, C, H, T], zero beyond the clips' ends, and the lengths [B] of what comes out."""
        depthwise, norm, pointwise = self.net
        x = depthwise(x)
        return pointwise(norm(x, mask_time(lengths, x)))


class Attention(nn.Module):
    """Every place of the map attends to every second one in frequency and time."""

    def __init__(self, size: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = Projection(size, heads * head_size, 1)
        self.to_kv = Projection(size, 2 * heads * head_size, 2)
        self.to_out = nn.Sequential(nn.Conv2d(heads * head_size, size, 1))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """[B, C, H, T] and lengths [B] to the same size."""
        x = x * mask_time(lengths, x)
        queries = self.to_q(x, lengths)
        keys, values = self.to_kv(x, halve(lengths)).chunk(2, dim=1)
        mask = mask_time(halve(lengths), keys).bool().expand(-1, 1, keys.shape[2], -1).flatten(2)  # [B, 1, H' T']
        out = functional.scaled_dot_product_attention(
            self._split(queries), self._split(keys), self._split(values), attn_mask=mask.unsqueeze(2)
        )
        return self.to_out(out.transpose(2, 3).reshape(queries.shape))

    def _split(self, x: Tensor) -> Tensor:
        """[B, heads times size, H, T] to [B, heads, H T, size]."""
        return x.unflatten(1, (self.heads, -1)).flatten(3).transpose(2, 3)


class Normed(nn.Module):
    """A layer on normalised channels."""

    def __init__(self, size: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = ChannelNorm(size)
        self.fn = fn

    def forward(self, x: Tensor, *lengths: Tensor) -> Tensor:
        """Normalise and apply."""
        return self.fn(self.norm(x), *lengths)


class FeedForward(nn.Module):
    """Two 1x1 convolutions."""

    def __init__(self, size: int, expansion: int) -> None:
        super().__init__()
        wide = size * expansion
        # The third place belongs to dropout in the published network, where its probability is zero.
        self.net = nn.Sequential(nn.Conv2d(size, wide, 1), nn.GELU(), nn.Identity(), nn.Conv2d(wide, size, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, T] to the same size."""
        return self.net(x)


class Layer(nn.ModuleList):
    """Attention and feed-forward network, each added to its input."""

    def __init__(self, size: int, heads: int, head_size: int, expansion: int) -> None:
        attention = Normed(size, Attention(size, heads, head_size))
        super().__init__([attention, Normed(size, FeedForward(size, expansion))])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """[B, C, H, T] and lengths [B] to the same size."""
        attention, feed_forward = self
        x = x + attention(x, lengths)
        return x + feed_forward(x)


class Transformer(nn.Module):
    """Layers one after the other."""

    def __init__(self, size: int, depth: int, heads: int, head_size: int, expansion: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(size, heads, head_size, expansion) for _ in range(depth))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """[B, C, H, T] and lengths [B] to the same size."""
        for layer in self.layers:
            x = layer(x, lengths)
        return x


class Stage(nn.ModuleList):
    """A convolution with stride, normalisation, and a transformer on the smaller map."""

    def __init__(self, inputs: int, size: int, kernel: int, stride: int, transformer: Transformer) -> None:
        super().__init__([nn.Conv2d(inputs, size, kernel, stride, kernel // 2), ChannelNorm(size), transformer])
        self.stride = stride

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C, H, T] and lengths [B] to the same of the next stage."""
        convolution, norm, transformer = self
        x = convolution(x * mask_time(lengths, x))
        lengths = (lengths + self.stride - 1) // self.stride  # windows centred inside the clip
        return transformer(norm(x), lengths), lengths


class CvT(Encoder):
    """Three stages from log-mel spectrograms to frames, one per 16 frames of the spectrogram.

    Args:
        mels: mel bands.
        sizes: channels of each stage.
        depths: layers of each stage.
        heads: attention heads of each stage.
        head_size: size of each head.
        expansion: units of the feed-forward networks over channels.
    """

    kernels = (7, 3, 3)
    strides = (4, 2, 2)
    shortest = 1
    centre = 0.0
    stride = 16

    def __init__(
        self,
        mels: int = 64,
        sizes: Sequence[int] = (64, 256, 512),
        depths: Sequence[int] = (1, 1, 1),
        heads: Sequence[int] = (1, 3, 6),
        head_size: int = 64,
        expansion: int = 4,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        inputs, bands = 1, mels
        for size, depth, count, kernel, stride in zip(sizes, depths, heads, self.kernels, self.strides, strict=True):
            transformer = Transformer(size, depth, count, head_size, expansion)
            self.layers.append(Stage(inputs, size, kernel, stride, transformer))
            inputs, bands = size, (bands + stride - 1) // stride
        self.dim = inputs * bands

    @property
    def front_end(self) -> list[nn.Module]:
        """None: the convolutions are part of the stages."""
        return []

    @property
    def blocks(self) -> list[nn.Module]:
        """The stages."""
        return list(self.layers)

    def forward(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Encoder`."""
        x = mel.unsqueeze(1)
        for stage in self.layers:
            x, lengths = stage(x, lengths)
        return x.permute(0, 3, 2, 1).flatten(2), lengths
