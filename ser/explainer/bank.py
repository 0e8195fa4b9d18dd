"""Random masks over the cells of a clip, and what a model makes of the clip with those cells removed.

A bank is scored once for a model; explanations are then judged against the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ser.errors import InputError
from ser.explainer.base import margin
from ser.explainer.cells import Cells
from ser.explainer.fill import Filler
from ser.explainer.subject import AT_ONCE, Subject

#: Elements of inputs that a CPU takes at once: maps of more leave its cache, which costs up to half the speed.
CELLS_AT_ONCE, SAMPLES_AT_ONCE = 2**17, 2**19


def draw_masks(cells_count: int, n: int, seed: int, shares: tuple[float, float] = (0.05, 0.5)) -> Tensor:
    """Masks that remove a random share of the cells.

    Args:
        cells_count: how many cells there are.
        n: masks.
        seed: of the draws.
        shares: least and greatest share of cells removed; uniform between, at least one cell.

    Returns:
        What is kept [n, cells_count], bool.

    Raises:
        InputError: shares that are none.
    """
    low, high = shares
    if not 0 <= low <= high <= 1:
        raise InputError(f"shares={shares}", expected="two shares from 0 to 1, ascending")
    random = torch.Generator().manual_seed(seed)
    share = low + (high - low) * torch.rand(n, 1, generator=random)
    removed = (share * cells_count).round().clamp(min=1, max=cells_count)
    return rank_randomly(n, cells_count, random) >= removed


def rank_randomly(rows: int, count: int, random: torch.Generator) -> Tensor:
    """Permutations of 0 to ``count`` - 1 [rows, count]."""
    return torch.rand(rows, count, generator=random).argsort(1)


def score_masks(
    subject: Subject, inputs: Tensor, cells: Cells, keep: Tensor, filler: Filler, classes: Tensor
) -> Tensor:
    """Margins [n] of a class for a clip with cells removed.

    Equal masks are scored once.

    Args:
        subject: the model.
        inputs: of one clip [1, M, F] or [1, T].
        cells: of that clip.
        keep: which stay [n, count], bool.
        filler: of that clip.
        classes: the class [1].
    """
    if len(inputs) != 1:
        raise ValueError("masks are scored clip by clip")
    different, place = keep.to(inputs.device).unique(dim=0, return_inverse=True)
    scored = [
        margin(subject.score(filler.apply(cells.expand(part))), classes.expand(len(part)).to(inputs.device))
        for part in different.split(choose_batch(subject, inputs))
    ]
    return torch.cat(scored)[place]


def choose_batch(subject: Subject, inputs: Tensor) -> int:
    """How many clips as long as the inputs are best scored at once."""
    if subject.device.type != "cpu":
        return AT_ONCE
    most = CELLS_AT_ONCE if subject.spectral else SAMPLES_AT_ONCE
    return max(1, min(AT_ONCE, most // inputs[0].numel()))
