"""A network run under rules, and the relevance of its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from ser.errors import InputError
from ser.explainer.base import margin
from ser.explainer.relevance.gradients import Sloped
from ser.explainer.relevance.mode import FoldFinder, RelevanceMode
from ser.explainer.relevance.operations import find_uncovered
from ser.explainer.relevance.rules import Rules

#: By how much, relative to the largest logit, they may move under the rules.
TOLERANCE = 1e-4
#: A map with a cell beyond this many times the relevance that entered is an artefact of numbers, not an explanation.
EXPLODED = 1e3
REMEDY = "write it with functions of ser/explainer/relevance/operations.py, or choose explainer=integrated_gradients"


@dataclass
class Trace:
    """One forward pass of a batch under rules, with its graph.

    Attributes:
        inputs: [B, …].
        logits: [B, K].
        start: relevance that enters [B].
        scale: sum over the logits of its absolute values [B], which is not zero where the start is.
    """

    inputs: Tensor
    logits: Tensor
    start: Tensor
    scale: Tensor

    def find_relevance(self) -> Tensor:
        """Of the inputs [B, …]."""
        return self.pass_down(self.start, torch.ones_like(self.start))

    def pass_down(self, of: Tensor, gradient: Tensor) -> Tensor:
        """Relevance of the inputs [B, …] for a tensor in the graph and the gradient that it has; the graph stays."""
        if not of.requires_grad:
            return torch.zeros_like(self.inputs)
        found = torch.autograd.grad(of, self.inputs, gradient, retain_graph=True, allow_unused=True)[0]
        return (self.inputs * (0 if found is None else found)).detach()


def trace(network: nn.Module, inputs: Tensor, classes: Tensor, rules: Rules) -> Trace:
    """Run a network under rules.

    Args:
        network: in evaluation mode; inputs [B, …] to logits [B, K].
        inputs: of equally long clips.
        classes: whose scores are distributed [B].
        rules: the choices.

    Raises:
        InputError: operations without a rule; a network in training mode; logits that move under the rules.
    """
    check_coverage(network)
    with torch.inference_mode(False), torch.no_grad(), FoldFinder() as folds:
        expected = network(inputs)
    folded = folds.found if rules.fold_bn and rules.rule_conv == "gamma" else set()
    with torch.inference_mode(False), torch.enable_grad():
        inputs = inputs.detach().clone().requires_grad_()
        with freeze(network), follow(network, inputs, rules, folded) as mode:
            logits = network(inputs)
        weights = weigh_logits(logits.detach(), classes, rules)
        start = (weights * logits).sum(1)
    uncovered = mode.uncovered + find_foreign(logits)
    if uncovered:
        raise InputError(
            "no rule of relevance for\n    " + "\n    ".join(uncovered),
            expected="operations that ser/explainer/relevance/operations.py lists",
            remedy=REMEDY,
        )
    compare(expected, logits.detach())
    return Trace(inputs, logits.detach(), start, (weights * logits.detach()).abs().sum(1))


def find_foreign(outcome: Tensor) -> list[str]:
    """Names of functions with a gradient of their own making in a graph: of those no rule can know."""
    seen: set[Any] = set()
    found: set[str] = set()
    waiting = [outcome.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [above for above, _ in node.next_functions]
        if isinstance(node, BackwardCFunction) and node.name() != f"{Sloped.__name__}Backward":
            found.add(f"{node.name()} (a gradient of its own making)")
    return sorted(found)


@contextmanager
def freeze(network: nn.Module) -> Iterator[None]:
    """While it is entered, no weight asks for a gradient: what does depends on the inputs."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in trained:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trained:
            weight.requires_grad_()


@contextmanager
def follow(network: nn.Module, inputs: Tensor, rules: Rules, folded: Set[int] = frozenset()) -> Iterator[RelevanceMode]:
    """While it is entered, what the network computes of inputs has gradients by rules; nothing of it stays."""
    path: list[str] = []
    with ExitStack() as stack:
        for name, module in network.named_modules():
            place = f"{name or 'the network itself'} ({type(module).__name__})"
            enter = module.register_forward_pre_hook(lambda *_, place=place: path.append(place))
            leave = module.register_forward_hook(lambda *_: _drop_last(path), always_call=True)
            stack.callback(enter.remove)
            stack.callback(leave.remove)
        yield stack.enter_context(
            RelevanceMode(rules, inputs, lambda: path[-1] if path else "the network itself", folded)
        )


def _drop_last(path: list[str]) -> None:
    path.pop()


def check_coverage(network: nn.Module) -> None:
    """Raise InputError where a network is being trained or has modules of torch without a rule."""
    if network.training:
        raise InputError("relevance: the network is in training mode", remedy="call its eval() first")
    uncovered = find_uncovered(network)
    if uncovered:
        raise InputError("no rule of relevance for the modules\n    " + "\n    ".join(uncovered), remedy=REMEDY)


def compare(expected: Tensor, found: Tensor) -> None:
    """Raise InputError where logits moved."""
    moved = float((expected - found).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not moved <= TOLERANCE:
        raise InputError(
            f"relevance: logits move by {moved:.1e} of the largest under the rules",
            expected=f"at most {TOLERANCE:.0e}",
            remedy="is anything in the network random, or changed in place?",
        )


def weigh_logits(logits: Tensor, classes: Tensor, rules: Rules) -> Tensor:
    """Weight of each logit [B, K] in the relevance that enters: the gradient of the margin, or 1 at the class."""
    if rules.start == "logit":
        return nn.functional.one_hot(classes, logits.shape[1]).to(logits.dtype)
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(margin(leaf, classes).sum(), leaf)[0]


def judge(values: Tensor, traced: Trace) -> tuple[list[list[str]], dict[str, Tensor]]:
    """Why maps [B, …] must not be used, and what tells how far to trust them.

    Returns:
        Reasons of each clip, and by name, each [B]: ``start``, the relevance that entered; ``bias_share``, what
        biases and other constants absorbed of it, relative to the sum of the absolute relevance of the logits;
        ``peak``, the largest absolute relevance of a cell relative to the same.
    """
    flat = values.flatten(1)
    scale = traced.scale.clamp(min=torch.finfo(values.dtype).tiny)
    start = traced.start.detach()
    share = (start - flat.sum(1)) / scale
    peak = flat.abs().amax(1) / scale
    reasons = [_find_reasons(bool(one.any()), float(height)) for one, height in zip(flat, peak, strict=True)]
    return reasons, {"start": start, "bias_share": share, "peak": peak}


def _find_reasons(any_relevance: bool, peak: float) -> list[str]:
    if not any_relevance:
        return ["no relevance reaches the inputs"]
    return [f"a cell has {peak:.0f} times the relevance of the logits"] if peak > EXPLODED else []
