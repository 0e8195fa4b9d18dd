"""Owen values: what each part of a modality is worth, the other modality being a player as a whole.

Owen (1977), Values of games with a priori unions: here unions are the modalities. A part's value is its Shapley value
among the parts of its modality, averaged over games without and with the other modality; values of a modality's parts
sum to the modality's Shapley value.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ser.explainer.modality.table import Array
from ser.explainer.segments.estimators import KernelShap
from ser.explainer.segments.masks import draw_bank


def draw_masks(count: int, masks: int, seed: int) -> NDArray[np.bool_]:
    """Which parts stay [masks, count]: all sets of them where they are few, else a sample with none and all."""
    return draw_bank(count, masks, seed).numpy()


def find_owen(keep: NDArray[np.bool_], without: Array, with_other: Array, share: float | None = None) -> Array:
    """Owen values [count] of the parts of a modality.

    Args:
        keep: masks [masks, count]; none and all of the parts are among them.
        without: worth of each mask without the other modality [masks].
        with_other: worth of each mask with it [masks].
        share: the modality's Shapley value, where more draws went into it than into the masks; what is missing is
            spread evenly.
    """
    bank = torch.from_numpy(keep)
    games = [KernelShap().estimate(bank, torch.from_numpy(np.asarray(one, float))) for one in (without, with_other)]
    values = (games[0] + games[1]).numpy() / 2
    return values if share is None else values + (share - values.sum()) / len(values)
