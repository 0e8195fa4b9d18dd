"""A network filled from a checkpoint, with nothing left to chance.

``from_pretrained`` of transformers initialises at random what a checkpoint lacks and only warns of it. Here a network
is created without values; every one of them comes from the checkpoint, or loading fails and names what is missing.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ser.backbone.weights import Checkpoint, hash_parameters
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.transformer import Transformer

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=nn.Module)

#: How checkpoints from before torch.nn.utils.parametrizations call the two parts of a normalised weight.
RENAMED = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}


def make_config(kind: type, backbone: Transformer, fixed: Mapping[str, Any]) -> Any:
    """A configuration of transformers.

    Args:
        kind: its class.
        backbone: what the checkpoint and the user say.
        fixed: values that nobody may change.

    Raises:
        InputError: unknown names, which transformers itself would take without a word; values that cannot be.
    """
    known = kind().to_dict()
    own = backbone.config
    for name in sorted(set(own) - set(known)):
        near = get_close_matches(name, known)
        raise InputError(
            f"backbone.config: {kind.__name__} of transformers has no {name}",
            remedy=f"did you mean {' or '.join(near)}?" if near else "",
        )
    changed = sorted(name for name in set(own) & set(fixed) if own[name] != fixed[name])
    if changed:
        raise InputError(f"backbone.config: {', '.join(changed)} cannot be changed", expected=str(dict(fixed)))
    # Older files have nulls, of heads for instance, that transformers no longer takes.
    values = {name: value for name, value in backbone.read_config().items() if value is not None}
    try:
        return kind.from_dict({**values, **fixed})  # type: ignore[attr-defined]
    except Exception as error:  # transformers has several kinds for mistakes in a configuration
        raise InputError(f"backbone.config: {kind.__name__} refuses its values: {error}") from error


def make_model(
    create: Callable[[], Model], backbone: Transformer, prefixes: Iterable[str], dispensable: Iterable[str]
) -> Model:
    """A model with the weights of a backbone's checkpoint (see :func:`make_filled`), or with random ones."""
    if backbone.checkpoint is None:
        return make_random(create, backbone.seed)
    return make_filled(create, backbone.checkpoint, prefixes, dispensable)


def log_parameters(backbone: Transformer, network: nn.Module) -> None:
    """Say where a network's weights come from, and their hash."""
    source = backbone.source or f"random weights, seed {backbone.seed}"
    log.info("backbone: %s, hash of its parameters %s", source, hash_parameters(network))


def make_random(create: Callable[[], Model], seed: int) -> Model:
    """A network with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_network(create)


def make_filled(
    create: Callable[[], Model], checkpoint: Checkpoint, prefixes: Iterable[str], dispensable: Iterable[str]
) -> Model:
    """A network with the weights of a checkpoint, in float32 whatever they are stored as.

    Args:
        create: makes the network.
        checkpoint: its files.
        prefixes: what the network's keys may begin with in a larger model that holds it.
        dispensable: beginnings of keys of other parts, which the network does without.

    Raises:
        InputError: files that cannot be read, keys that are missing, unexpected or of another shape.
    """
    with torch.device("meta"):
        network = create_network(create)
    state = rename(read_tensors(checkpoint), network.state_dict(), prefixes)
    check(state, network.state_dict(), tuple(dispensable), checkpoint.source)
    own = {name: state[name].to(torch.float32, copy=True) for name in network.state_dict()}
    network.load_state_dict(own, assign=True)
    return network


def read_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """All tensors of a checkpoint; pickled ones are read without running any code."""
    found: dict[str, Tensor] = {}
    for path in checkpoint.weights:
        try:
            if path.suffix == ".safetensors":
                found |= load_file(path)
            else:
                found |= torch.load(path, map_location="cpu", weights_only=True)
        except (SafetensorError, pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"{path}: no weights can be read from it ({reason})",
                remedy="download it again; is it a Git LFS pointer?",
            ) from error
    return found


def rename(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], prefixes: Iterable[str]) -> dict[str, Tensor]:
    """The tensors under the names that the network has for them."""
    prefix = next((prefix for prefix in prefixes if any(prefix + name in state for name in wanted)), "")
    renamed = {}
    for name, tensor in state.items():
        for old, new in RENAMED.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        renamed[name.removeprefix(prefix)] = tensor
    return renamed


def check(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], dispensable: tuple[str, ...], source: str) -> None:
    """Raise InputError unless the tensors are those that the network needs, apart from dispensable ones."""
    missing = sorted(set(wanted) - set(state))
    unexpected = sorted(name for name in set(state) - set(wanted) if not name.startswith(dispensable))
    reshaped = sorted(name for name in set(state) & set(wanted) if state[name].shape != wanted[name].shape)
    if missing or unexpected or reshaped:
        lists = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
        told = "; ".join(f"{what}: {abbreviate(names)}" for what, names in lists.items() if names)
        raise InputError(
            f"backbone.source={source}: the weights do not fill the network; {told}",
            expected=f"a checkpoint of {len(wanted)} tensors as its config.json says",
        )


def abbreviate(names: list[str], most: int = 12) -> str:
    """Names in a row, the first ones if there are many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def create_network(create: Callable[[], Model]) -> Model:
    """What a function makes of a configuration.

    Raises:
        InputError: nothing, because of the configuration.
    """
    try:
        return create()
    except (ValueError, RuntimeError, ZeroDivisionError, KeyError) as error:
        raise InputError(f"backbone.config: no network can be made of it: {error}") from error
