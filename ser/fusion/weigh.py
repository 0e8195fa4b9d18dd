"""The weight of late fusion, from validation clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from ser.fusion.network import LateNetwork
from ser.head.data import Part
from ser.head.network import find_outputs


def choose_weight(network: LateNetwork, validation: Part, emotions: Sequence[str], batch_size: int) -> float:
    """The weight of audio with which a network is least wrong about validation clips.

    Args:
        network: with trained branches.
        validation: the clips; those with an emotion that no clip trained have no say.
        emotions: of the network; none where it predicts dimensions.
        batch_size: clips at once.

    Returns:
        What minimises the mean negative log likelihood of the true emotions, or the mean squared error of standardised
        dimensions; both are convex in it.
    """
    known = validation if not emotions else validation.take(np.flatnonzero(np.isin(validation.emotions, emotions)))
    outputs = len(emotions) or len(validation.dimensions)
    network.eval()

    def decide(*batch: Any) -> Tensor:
        return torch.cat(network.list_outputs(*batch), dim=-1)

    audio, text = find_outputs(network, known, 2 * outputs, batch_size, decide).split(outputs, dim=-1)
    if emotions:
        targets: Any = torch.tensor([emotions.index(emotion) for emotion in known.emotions])
        measure: Any = nn.functional.nll_loss
    else:
        assert network.target_scale is not None
        targets = network.target_scale.encode(torch.as_tensor(known.targets, dtype=torch.float32)).double()
        measure = nn.functional.mse_loss

    def find_loss(weight: float) -> float:
        return float(measure(network.average(audio, text, torch.tensor(weight, dtype=torch.float64)), targets))

    return float(minimize_scalar(find_loss, bounds=(0, 1), method="bounded").x)
