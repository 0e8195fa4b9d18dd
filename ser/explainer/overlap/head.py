"""What the layers of a head make of clips: the vector that it reads, the output of each hidden layer, its logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ser.explainer.overlap.places import EMBEDDING, OUTPUT
from ser.head.data import Part
from ser.head.network import find_outputs


@torch.inference_mode()
def read_head(fitted: Any, part: Part) -> dict[str, np.ndarray]:
    """Vectors [N, D] of clips by layer, from the bottom: ``embedding``, ``head 1`` and so on, ``output`` (logits).

    A head of two networks that know nothing of each other (late fusion) has an output alone.

    Args:
        fitted: a fitted network.
        part: clips as it gets them.
    """
    network, size = fitted.network, len(fitted.emotions)
    if not isinstance(network.layers, nn.Sequential):
        return {OUTPUT: find_outputs(network, part, size, fitted.batch_size).numpy()}
    width = next(layer.in_features for layer in network.layers if isinstance(layer, nn.Linear))
    kept: list[Tensor] = []
    hook = network.layers.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))

    def embed(inputs: Any, lengths: Any) -> Tensor:
        network(inputs, lengths)
        return kept.pop()

    try:
        vectors = find_outputs(network, part, width, fitted.batch_size, embed)
    finally:
        hook.remove()
    return {EMBEDDING: vectors.numpy(), **follow(network.layers, vectors.float())}


def follow(layers: nn.Sequential, vectors: Tensor) -> dict[str, np.ndarray]:
    """What comes out of each hidden layer, after its activation, and of the last."""
    device = next(layers.parameters()).device
    vectors = vectors.to(device)
    found, hidden = {}, 0
    for layer in layers:
        vectors = layer(vectors)
        hidden += isinstance(layer, nn.Linear)
        if isinstance(layer, nn.ReLU) and hidden:
            found[f"head {hidden}"] = vectors.cpu().numpy()
    return {**found, OUTPUT: vectors.cpu().numpy()}
