"""A model with other weights, from its head down or one part at a time.

Adebayo et al. (2018), Sanity checks for saliency maps, NeurIPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ser.explainer.subject import Subject

#: Parts into which the blocks of a network, or its layers, are grouped at most.
MOST_PARTS = 4


@dataclass(frozen=True, eq=False)
class Level:
    """A part of a network whose weights are randomised together.

    Attributes:
        name: ``head``, ``blocks 9-12``, ``front``, ….
        modules: with weights of their own; names within the network.
    """

    name: str
    modules: tuple[str, ...]


def list_levels(subject: Subject) -> list[Level]:
    """The parts of a network from the head down: what lies above the trunk, its blocks, the rest of the trunk.

    Layers of a network without a trunk are grouped in the order in which they were made, the last first.
    """
    assert subject.network is not None
    owners = {name: one for name, one in subject.network.named_modules() if any(True for _ in one.parameters(False))}
    trunk = subject.trunk
    if trunk is None or not hasattr(trunk, "blocks"):
        names = [(name,) for name in owners][::-1]
        return [Level(f"layers {part[0][0]}", sum(part, ())) for part in group(names, MOST_PARTS)]
    places = {id(one): place for place, block in enumerate(trunk.blocks) for one in block.modules()}
    below = {id(one) for one in trunk.modules()} - set(places)
    blocks = [tuple(name for name, one in owners.items() if places.get(id(one)) == n) for n in range(len(trunk.blocks))]
    numbered = group(list(enumerate(blocks, 1))[::-1], MOST_PARTS)
    levels = [Level("head", tuple(name for name, one in owners.items() if id(one) not in below | set(places)))]
    levels += [
        Level(name_blocks([number for number, _ in part]), tuple(name for _, names in part for name in names))
        for part in numbered
    ]
    levels.append(Level("front", tuple(name for name, one in owners.items() if id(one) in below)))
    return [level for level in levels if level.modules]


def group(items: Sequence, most: int) -> list[list]:
    """Neighbours together, in ``most`` groups of about the same size."""
    count = min(most, len(items))
    bounds = [round(place * len(items) / count) for place in range(count + 1)]
    return [list(items[a:b]) for a, b in pairwise(bounds)]


def name_blocks(numbers: Sequence[int]) -> str:
    """``block 3``, or ``blocks 9-12``."""
    low, high = min(numbers), max(numbers)
    return f"block {low}" if low == high else f"blocks {low}-{high}"


def randomise(
    subject: Subject, levels: Sequence[Level], above: Sequence[Level], inputs: Sequence[Tensor], seed: int
) -> Subject:
    """A copy of a model with new weights in some levels.

    Modules draw them as they do before training; weights of modules that cannot are drawn from a normal distribution
    with their mean and standard deviation. Batch statistics of those levels, and of levels that read their output, are
    measured again: with those of the trained network a random one would be driven out of range.

    Args:
        subject: with a network.
        levels: to randomise.
        above: levels whose batch statistics are measured again, from the head down.
        inputs: of clips to measure them on, each [1, …].
        seed: of the weights.
    """
    copy = subject.copy()
    assert copy.network is not None
    modules = dict(copy.network.named_modules())
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for level in levels:
            for name in level.modules:
                draw_weights(modules[name])
        upwards = [modules[name] for level in reversed(above) for name in level.modules]
        measure_statistics(copy.network, [one for one in upwards if isinstance(one, _BatchNorm)], inputs)
    return copy


def draw_weights(module: nn.Module) -> None:
    """New weights of a module's own."""
    before = {name: weight.clone() for name, weight in module.named_parameters(recurse=False)}
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
    for name, weight in module.named_parameters(recurse=False):
        # Either it has no way to draw weights, or its way leaves some as they are.
        if not callable(reset) or (weight.equal(before[name]) and weight.numel() > 1 and weight.std() > 0):
            spread = weight.std() if weight.numel() > 1 else weight.abs()
            weight.copy_(weight.mean() + spread * torch.randn(weight.shape).to(weight))


def measure_statistics(network: nn.Module, norms: Sequence[_BatchNorm], inputs: Sequence[Tensor]) -> None:
    """Batch statistics of some layers, over clips; one layer after the other, as each changes what the next one sees.

    Args:
        network: in evaluation mode.
        norms: from the bottom up.
        inputs: of clips, each [1, …].
    """
    for norm in norms:
        seen = record_inputs(network, norm, inputs)
        if seen is not None and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.copy_(seen.mean(1))
            norm.running_var.copy_(seen.var(1, correction=0))


def record_inputs(network: nn.Module, norm: nn.Module, inputs: Sequence[Tensor]) -> Tensor | None:
    """All that a layer sees of clips [channels, values]; ``None`` if the network does not use it."""
    seen: list[Tensor] = []
    hook = norm.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].transpose(0, 1).flatten(1)))
    try:
        for one in inputs:
            network(one)
    finally:
        hook.remove()
    return torch.cat(seen, dim=1) if seen else None
