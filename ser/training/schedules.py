"""Learning rates that rise at first and then fall until the last step of the optimizer."""

from __future__ import annotations

import math
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ser.errors import InputError


class WarmupLinear(LambdaLR):
    """Rises to the full rate and falls to zero, both in a straight line.

    Args:
        optimizer: whose rates it changes.
        total_steps: of the whole training.
        warmup: steps until the full rate; below 1, their share of all steps. 0: none.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.1) -> None:
        super().__init__(optimizer, partial(fall_linearly, count_warmup(warmup, total_steps), total_steps))


class WarmupCosine(LambdaLR):
    """Rises in a straight line and falls along half a cosine (Loshchilov and Hutter, 2017, without restarts).

    Args: as of :class:`WarmupLinear`.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.1) -> None:
        super().__init__(optimizer, partial(fall_by_cosine, count_warmup(warmup, total_steps), total_steps))


def count_warmup(warmup: float, total_steps: int) -> int:
    """Steps until the full rate.

    Raises:
        InputError: more than there are, or less than none.
    """
    steps = round(warmup * total_steps) if warmup < 1 else int(warmup)
    if not 0 <= steps < total_steps:
        raise InputError(
            f"scheduler.warmup={warmup}: of {total_steps} steps",
            expected=f"0 to {total_steps - 1} steps, or a share from 0 to below 1",
        )
    return steps


def fall_linearly(warmup: int, total: int, step: int) -> float:
    """Share of the full rate in a step, from 0; no step of the training has a rate of zero."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return max(0.0, (total - step) / (total - warmup))


def fall_by_cosine(warmup: int, total: int, step: int) -> float:
    """Share of the full rate in a step, from 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup)))) / 2
