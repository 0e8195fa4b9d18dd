"""Augmentations of augmentations: in order, one of several, or one copy for each beside the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ser.augmentation.base import Augmentation
from ser.errors import InputError

#: A list, or a mapping whose keys are names that serve overrides (``augmentation.members.noise.p=0.5``) and no more.
Members = Sequence[Augmentation] | Mapping[str, Augmentation]


class Composed(Augmentation):
    """What the compositions share.

    Args:
        members: augmentations, in order.

    Raises:
        InputError: no members, or one that is no augmentation.
    """

    def __init__(self, members: Members) -> None:
        self.members = list(members.values()) if isinstance(members, Mapping) else list(members)
        name = type(self).__name__
        if not self.members:
            raise InputError(f"augmentation {name}: no members", expected="at least one augmentation in members")
        for member in self.members:
            if not isinstance(member, Augmentation):
                raise InputError(
                    f"augmentation {name}: {member!r} is no augmentation",
                    expected="members with a _target_ under ser.augmentation",
                    remedy="see `ser list augmentation`",
                )

    def identify(self) -> dict[str, object]:
        """Name and members."""
        return {
            "augmentation": type(self).__name__,
            "members": [member.identify() for member in self.members],
        }


class Chain(Composed):
    """All members in order, each on what the one before it made."""

    def vary(self, clip: Tensor, rate: int, generator: torch.Generator) -> list[Tensor]:
        """What the last member made."""
        clips = [clip]
        for member in self.members:
            clips = [made for given in clips for made in member.vary(given, rate, generator)]
        return clips


class OneOf(Composed):
    """One member for each clip, drawn anew.

    Args:
        members: augmentations.
        weights: how often each is drawn relative to the others, in the order of the members or, where these have
            names, by name; ``None``: equally often.

    Raises:
        InputError: weights that do not fit the members.
    """

    def __init__(self, members: Members, weights: Sequence[float] | Mapping[str, float] | None = None) -> None:
        super().__init__(members)
        self.weights = self._order(members, weights)
        if len(self.weights) != len(self.members) or min(self.weights) < 0 or sum(self.weights) == 0:
            raise InputError(
                f"augmentation OneOf: weights={self.weights} for {len(self.members)} members",
                expected="one weight a member, none below 0, not all 0",
            )

    @staticmethod
    def _order(members: Members, weights: Sequence[float] | Mapping[str, float] | None) -> list[float]:
        if weights is None:
            return [1.0] * len(members)
        if not isinstance(weights, Mapping):
            return [float(weight) for weight in weights]
        if not isinstance(members, Mapping) or set(members) != set(weights):
            names = list(members) if isinstance(members, Mapping) else "members without names"
            raise InputError(f"augmentation OneOf: weights for {list(weights)}", expected=f"weights for {names}")
        return [float(weights[name]) for name in members]

    def vary(self, clip: Tensor, rate: int, generator: torch.Generator) -> list[Tensor]:
        """What the drawn member made."""
        weights = torch.tensor(self.weights, dtype=torch.float64)
        return self.members[int(torch.multinomial(weights, 1, generator=generator))].vary(clip, rate, generator)

    def identify(self) -> dict[str, object]:
        """Name, members and weights."""
        return super().identify() | {"weights": self.weights}


class Union(Composed):
    """The original and one copy for each member: a batch of B becomes one of (1 + members) B.

    A member with p < 1 leaves some of its copies equal to their originals.
    """

    keeps_original = True

    def vary(self, clip: Tensor, rate: int, generator: torch.Generator) -> list[Tensor]:
        """The clip, then what each member made from it."""
        return [clip, *(made for member in self.members for made in member.vary(clip, rate, generator))]
