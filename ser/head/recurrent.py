"""Recurrent networks over frames, as poolings: they read a clip from its first frame to its last own one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser.errors import InputError
from ser.head.pooling import AttentionPooling


class RecurrentPooling(nn.Module):
    """A recurrent network, then its last state or the mean over time weighted by attention: [B, F, D] to [B, size].

    Frames beyond a clip's end are never read, in either direction: a clip in a batch yields what it yields alone.

    Args:
        size: D.
        hidden: units in each direction; ``None``: D.
        layers: one above the other.
        bidirectional: read backwards as well.
        attention: weigh the outputs by a learned score of each frame (Bahdanau et al., 2015); without it, the state
            after the last frame (backwards: after the first) is the clip's vector.
        scoring: units of the layer that scores frames.
        dropout: between layers.
    """

    kind: ClassVar[Callable[..., nn.RNNBase]]

    def __init__(
        self,
        size: int,
        hidden: int | None = None,
        layers: int = 1,
        bidirectional: bool = False,
        attention: bool = True,
        scoring: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers < 1 or (hidden is not None and hidden < 1) or (dropout and layers == 1):
            raise InputError(
                f"pooling.network: hidden={hidden}, layers={layers}, dropout={dropout}",
                expected="one unit and one layer at least; dropout only between layers",
            )
        units = hidden or size
        self.recurrent = self.kind(size, units, layers, batch_first=True, bidirectional=bidirectional, dropout=dropout)
        self.length = units * (1 + bidirectional)
        self.attention = AttentionPooling(self.length, scoring) if attention else None

    def find_size(self, size: int) -> int:  # noqa: ARG002 - poolings are alike
        """Length of the pooled vector."""
        return self.length

    def read(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs [B, F, size], zero beyond each clip's end, and the states after the last frame [B, size]."""
        counts = lengths.clamp(min=1).cpu()
        packed = pack_padded_sequence(frames, counts, batch_first=True, enforce_sorted=False)
        outputs, state = self.recurrent(packed)
        last = state[0] if isinstance(state, tuple) else state  # an LSTM's second state is its cell
        top = last[-2:] if self.recurrent.bidirectional else last[-1:]
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=frames.shape[1])
        return padded, top.transpose(0, 1).flatten(1)

    def weigh(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Weight of each frame [B, F, 1].

        Raises:
            InputError: there is no attention.
        """
        if self.attention is None:
            raise InputError("pooling.network.attention=false: frames have no weights")
        return self.attention.weigh(self.read(frames, lengths)[0], lengths)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        outputs, last = self.read(frames, lengths)
        return last if self.attention is None else self.attention(outputs, lengths)


class GRUPooling(RecurrentPooling):
    """Gated recurrent units (Cho et al., 2014)."""

    kind = nn.GRU


class LSTMPooling(RecurrentPooling):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    kind = nn.LSTM


class RNNPooling(RecurrentPooling):
    """Plain recurrent units with tanh (Elman, 1990)."""

    kind = nn.RNN
