"""A network above two branches. Each branch is encoded alone, once a clip; any two encoded clips can then be fused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ser.backbone.base import Layer
from ser.backbone.statistics import find_layer
from ser.finetune.full import freeze_above
from ser.head.emotion_network import Shape, TargetScale, make_reader
from ser.head.kept import KeptNetwork, Scaled
from ser.head.pair import Pair, PairedFeatures
from ser.head.pooling import LayerMix
from ser.head.reader import StoredVectors

if TYPE_CHECKING:
    from ser.head.trunk import Trunk


class State(NamedTuple):
    """What a branch yields of B clips.

    Attributes:
        data: vectors [B, D], or frames [B, F, D].
        lengths: in frames [B]; 0 where a clip's modality was dropped.
    """

    data: Tensor
    lengths: Tensor

    def keep(self, kept: Tensor) -> State:
        """The same with nothing (zeros, no frames) of the clips that are not kept [B]."""
        shape = (-1, *[1] * (self.data.ndim - 1))
        return State(self.data * kept.view(shape).to(self.data), self.lengths * kept)


class Branch(Scaled):
    """Hidden states of a trained backbone, or features of a frozen one, to what is fused.

    Args:
        reader: either, with lengths, to vectors [B, D] or a :class:`State`.
        shape: of a clip's features without their time axis; empty where the backbone is trained.
        size: D.
    """

    def __init__(self, reader: nn.Module, shape: Sequence[int], size: int) -> None:
        super().__init__(shape)
        self.reader = reader
        self.size = size

    def forward(self, found: Any, lengths: Tensor) -> State:
        """Read."""
        made = self.reader(self.rescale(found) if isinstance(found, Tensor) else found, lengths)
        return made if isinstance(made, State) else State(made, torch.ones_like(lengths))


class ChosenFrames(nn.Module):
    """Frames [B, F, D] of one hidden state, or of a learned mixture of all, with their lengths.

    Args:
        layer: a hidden state by number, or ``mix``.
        depth: how many hidden states there are.
    """

    def __init__(self, layer: Layer, depth: int) -> None:
        super().__init__()
        self.layer = layer
        self.mix = LayerMix(depth) if layer == "mix" else None

    def forward(self, found: Sequence[Tensor] | Tensor, lengths: Tensor) -> State:
        """Hidden states, or stored frames [B, F, D] of one and [B, F, L, D] of all."""
        if isinstance(found, Tensor):
            found = [found] if found.ndim == 3 else found.unbind(2)
        if self.mix is None:
            return State(found[int(self.layer)], lengths)
        return State(self.mix(torch.stack(list(found), dim=1)), lengths)


class OneFrame(StoredVectors):
    """A stored vector of a clip as its only frame."""

    def forward(self, vectors: Tensor, lengths: Tensor) -> State:  # type: ignore[override]
        """Vectors [B, D] or [B, L, D] to frames [B, 1, D]."""
        return State(super().forward(vectors, lengths).unsqueeze(1), torch.ones_like(lengths))


def make_branch(shape: Shape, trunk: Trunk, frames: bool) -> tuple[nn.Module | None, Branch]:
    """The backbone of a branch if it is trained, and what reads it.

    Args:
        shape: of its features.
        trunk: backbone, fine-tuning and reading of the branch.
        frames: whether frames are fused; else pooled vectors.
    """
    if not frames:
        network, reader, size = make_reader(shape, trunk)
        return network, Branch(reader, shape.sizes, size)
    layer = trunk.reading.layer
    if shape.features == "audio":
        network = trunk.policy.apply(trunk.backbone.build())
        if layer != "mix":
            find_layer(layer, network.depth)
        freeze_above(network, layer)
        return network, Branch(ChosenFrames(layer, network.depth), (), network.dim)
    depth = shape.sizes[0] if len(shape.sizes) == 2 else 0
    kept: nn.Module = OneFrame(depth) if shape.features == "vectors" else ChosenFrames("mix" if depth else -1, depth)
    return None, Branch(kept, shape.sizes, shape.sizes[-1])


class FusedNetwork(KeptNetwork):
    """Both branches, up to what is fused.

    Args:
        backbones: those that are trained, by modality.
        branches: above them, or above features.
        target_scale: of dimensions; ``None`` with logits.
    """

    def __init__(
        self, backbones: Pair[nn.Module | None], branches: Pair[Branch], target_scale: TargetScale | None = None
    ) -> None:
        super().__init__()
        trained = {name: network for name, network in backbones._asdict().items() if network is not None}
        self.backbone = nn.ModuleDict(trained) if trained else None
        self.branches = nn.ModuleDict(branches._asdict())
        self.target_scale = target_scale

    def _find_backbone(self, name: str) -> Any:
        return None if self.backbone is None or name not in self.backbone else self.backbone[name]

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which the network hears clips; where its audio branch is stored it hears none."""
        return int(getattr(self._find_backbone("audio"), "rate", 0))

    @property
    def encode_text(self) -> Callable[[str], np.ndarray] | None:
        """Texts to the tokens that the network reads; ``None`` where its text branch is stored."""
        return getattr(self._find_backbone("text"), "encode_text", None)

    @property
    def vocabulary(self) -> Sequence[str] | None:
        """What the text branch learned of training texts before it was built; ``None`` for no vocabulary of its own."""
        return getattr(self._find_backbone("text"), "vocabulary", None)

    def standardise(self, features: PairedFeatures) -> None:
        """Take the scale of training features, of the branches that have some."""
        for name, found in features.pair._asdict().items():
            if found is not None:
                self.branches[name].standardise(found)  # type: ignore[operator]

    def encode(self, name: str, inputs: Tensor, lengths: Tensor) -> State:
        """A branch alone.

        Args:
            name: ``audio`` or ``text``.
            inputs: what its backbone reads [B, T] with lengths in samples or tokens, or its features [B, …].
            lengths: [B].
        """
        backbone = self._find_backbone(name)
        return self.branches[name](*((inputs, lengths) if backbone is None else backbone(inputs, lengths)))

    def fuse(self, audio: State, text: State) -> Tensor:
        """What was encoded of B clips to outputs [B, K]: logits, or standardised dimensions."""
        raise NotImplementedError

    def forward(self, inputs: Pair[Tensor], lengths: Pair[Tensor]) -> Tensor:
        """Outputs [B, K] of what both branches are given, as :meth:`encode` takes it."""
        return self.fuse(*self.encode_both(inputs, lengths))

    def encode_both(self, inputs: Pair[Tensor], lengths: Pair[Tensor]) -> Pair[State]:
        """Both branches."""
        return Pair(*(self.encode(name, inputs[place], lengths[place]) for place, name in enumerate(Pair._fields)))

    def list_outputs(self, inputs: Pair[Tensor], lengths: Pair[Tensor]) -> list[Tensor]:
        """The outputs that training compares with the targets, each on its own."""
        return [self(inputs, lengths)]


class JointNetwork(FusedNetwork):
    """Fuses what the branches yield into one vector, and decides on that.

    Args:
        backbones, branches, target_scale: see :class:`FusedNetwork`.
        join: two states to vectors [B, size].
        layers: from those to the outputs.
        dropout: share of training clips without audio, and without text.
    """

    def __init__(
        self,
        backbones: Pair[nn.Module | None],
        branches: Pair[Branch],
        join: nn.Module,
        layers: nn.Module,
        dropout: Mapping[str, float],
        target_scale: TargetScale | None = None,
    ) -> None:
        super().__init__(backbones, branches, target_scale)
        self.join = join
        self.layers = layers
        self.dropout = {name: float(share) for name, share in dropout.items()}
        self.mark_untrained()

    def fuse(self, audio: State, text: State) -> Tensor:
        """Compute; in training one of the two may be dropped."""
        if self.training and any(self.dropout.values()):
            audio, text = self.drop(audio, text)
        return self.layers(self.join(audio, text))

    def drop(self, audio: State, text: State) -> tuple[State, State]:
        """Leave out one modality of some clips, never both of one."""
        draw = torch.rand(len(audio.data), device=audio.data.device)
        return audio.keep(draw >= self.dropout["audio"]), text.keep(draw < 1 - self.dropout["text"])


class LateNetwork(FusedNetwork):
    """Two networks that are trained side by side and know nothing of each other; their probabilities are averaged.

    Args:
        backbones, branches, target_scale: see :class:`FusedNetwork`.
        layers: of each branch, from its vector to the outputs.
        weight: of audio in the mean, 0 to 1.
    """

    weight: Tensor

    def __init__(
        self,
        backbones: Pair[nn.Module | None],
        branches: Pair[Branch],
        layers: Pair[nn.Module],
        weight: float,
        target_scale: TargetScale | None = None,
    ) -> None:
        super().__init__(backbones, branches, target_scale)
        self.layers = nn.ModuleDict(layers._asdict())
        self.register_buffer("weight", torch.tensor(float(weight)))
        self.mark_untrained()

    def fuse(self, audio: State, text: State) -> Tensor:
        """Log of the mean probabilities, or mean dimensions."""
        return self.average(*self.decide(audio, text), self.weight)

    def list_outputs(self, inputs: Pair[Tensor], lengths: Pair[Tensor]) -> list[Tensor]:
        """Those of either branch: neither's gradient depends on the other."""
        return list(self.decide(*self.encode_both(inputs, lengths)))

    def decide(self, audio: State, text: State) -> tuple[Tensor, Tensor]:
        """What each branch says [B, K]."""
        return self.layers["audio"](audio.data), self.layers["text"](text.data)

    def average(self, audio: Tensor, text: Tensor, weight: Tensor) -> Tensor:
        """What both say [B, K], with a weight of what audio says."""
        if self.target_scale is not None:
            return weight * audio + (1 - weight) * text
        shares = torch.stack([weight, 1 - weight]).to(audio).log()
        return torch.logaddexp(audio.log_softmax(-1) + shares[0], text.log_softmax(-1) + shares[1])
