"""What makes one vector of what two branches yield: the networks behind the choices of ``conf/fusion``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ser.backbone.masked import make_mask
from ser.fusion.network import State
from ser.head.pair import Pair


class ConcatJoin(nn.Module):
    """Two vectors side by side.

    Args:
        sizes: of the vectors.
        hidden: sizes of the dense layers that each passes first.
        dropout: share of units left out after each of them, in training.
    """

    def __init__(self, sizes: Pair[int], hidden: Mapping[str, Sequence[int]], dropout: float) -> None:
        super().__init__()
        self.dense = nn.ModuleDict(
            {name: make_dense(size, hidden[name], dropout) for name, size in sizes._asdict().items()}
        )
        self.size = sum((size, *hidden[name])[-1] for name, size in sizes._asdict().items())

    def forward(self, audio: State, text: State) -> Tensor:
        """Join."""
        return torch.cat([self.dense["audio"](audio.data), self.dense["text"](text.data)], dim=-1)


def make_dense(size: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    """Layers of so many units with ReLU."""
    layers: list[nn.Module] = []
    for before, units in zip((size, *hidden), hidden, strict=False):
        layers += [nn.Linear(before, units), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class GatedJoin(nn.Module):
    """Units that take ``z`` of what is heard and ``1 - z`` of what is said.

    Args:
        sizes: of the vectors.
        units: how many.
    """

    def __init__(self, sizes: Pair[int], units: int) -> None:
        super().__init__()
        self.size = units
        self.audio, self.text = nn.Linear(sizes.audio, units), nn.Linear(sizes.text, units)
        self.gate = nn.Linear(sizes.audio + sizes.text, units)

    def forward(self, audio: State, text: State) -> Tensor:
        """Join."""
        gate = self.gate(torch.cat([audio.data, text.data], dim=-1)).sigmoid()
        return gate * self.audio(audio.data).tanh() + (1 - gate) * self.text(text.data).tanh()


class CrossAttentionJoin(nn.Module):
    """Frames that attend to those of the other branch, pooled.

    Args:
        sizes: of the frames.
        poolings: of each branch, for frames of ``size``.
        size: to which frames are projected.
        heads: of the attention.
        dropout: share of attention weights left out in training.
    """

    def __init__(self, sizes: Pair[int], poolings: Pair[Any], size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.ModuleDict({name: nn.Linear(each, size) for name, each in sizes._asdict().items()})
        # With a zero among what can be attended to, a clip whose other modality was dropped attends to nothing.
        self.attend = nn.ModuleDict(
            {
                name: nn.MultiheadAttention(size, heads, dropout, add_zero_attn=True, batch_first=True)
                for name in Pair._fields
            }
        )
        self.norm = nn.ModuleDict({name: nn.LayerNorm(size) for name in Pair._fields})
        self.pooling = nn.ModuleDict(poolings._asdict())
        self.size = sum(int(pooling.find_size(size)) for pooling in poolings)

    def forward(self, audio: State, text: State) -> Tensor:
        """Join."""
        frames = {"audio": self.project["audio"](audio.data), "text": self.project["text"](text.data)}
        lengths = {"audio": audio.lengths, "text": text.lengths}
        found = [self.read(name, other, frames, lengths) for name, other in (Pair._fields, Pair._fields[::-1])]
        return torch.cat(found, dim=-1)

    def read(self, name: str, other: str, frames: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> Tensor:
        """One branch after it attended to the other: frames [B, F, size] to a vector, zero where there are none."""
        own, keys = frames[name], frames[other]
        beyond = ~make_mask(lengths[other], keys.shape[1])
        attended, _ = self.attend[name](own, keys, keys, key_padding_mask=beyond, need_weights=False)
        pooled = self.pooling[name](self.norm[name](own + attended), lengths[name].clamp(min=1))
        return pooled * (lengths[name] > 0).unsqueeze(-1)
