"""One rule for every function of torch between inputs and logits; none is left to its plain gradient by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ser.explainer.relevance import gradients
from ser.explainer.relevance.rules import Rules

#: Linear in what depends on the inputs, or a choice among its elements (maxima, clamps): their gradient is the rule.
PLAIN = frozenset(
    """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d add amax amin avg_pool1d avg_pool2d
    broadcast_to cat chunk clamp clamp_max clamp_min clip clone concat concatenate contiguous conv1d conv2d conv3d copy
    cpu cuda cumsum diagonal double dropout dropout1d dropout2d einsum expand expand_as flatten flip float fold gather
    get getitem half index_select iter linear masked_fill masked_scatter masked_select matmul bmm max max_pool1d
    max_pool2d maximum mean min minimum moveaxis movedim narrow neg pad permute positive repeat repeat_interleave
    requires_grad reshape reshape_as roll rsub select setitem split squeeze stack sub subtract sum swapaxes swapdims t
    tensor_split tensordot tile to transpose tril triu type type_as unbind unflatten unfold unsqueeze upsample view
    view_as where zero
    """.split()
)
#: Products: their gradient is the rule as long as one factor alone depends on the inputs.
PRODUCTS = frozenset("bmm conv1d conv2d conv3d einsum linear matmul tensordot".split())
#: Elementwise, and zero at zero: relevance passes.
PASSED = frozenset(
    "celu elu gelu hardswish hardtanh leaky_relu mish prelu relu relu6 selu silu softsign sqrt tanh".split()
)
#: Gates, weights of a mean, and what a norm divides by scale other things: they are constants, those get the relevance.
CONSTANT = frozenset("hardsigmoid reciprocal rsqrt sigmoid softmax".split())


class _Convolution(NamedTuple):
    """A call of a convolution, kept with its outcome so that no other tensor takes its place in memory."""

    made: Tensor
    function: gradients.Function
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    more: tuple[Any, ...]
    named: dict[str, Any]


class RelevanceMode(TorchFunctionMode):
    """While it is entered, gradients are those of rules.

    Args:
        rules: the choices.
        inputs: of the network.
        locate: where in the network we are.

    Attributes:
        uncovered: operations without a rule, as ``module: operation``, in order.
    """

    def __init__(self, rules: Rules, inputs: Tensor, locate: Callable[[], str]) -> None:
        super().__init__()
        self.rules = rules
        self.inputs = inputs
        self.locate = locate
        self.uncovered: list[str] = []
        self._convolutions: dict[int, _Convolution] = {}
        own: dict[str, Callable[..., Tensor]] = {
            "batch_norm": self._norm_batch,
            "div": self._divide,
            "divide": self._divide,
            "group_norm": self._norm_groups,
            "layer_norm": self._norm_layer,
            "mul": self._multiply,
            "multiply": self._multiply,
            "pow": self._raise,
            "rdiv": self._divide,
            "scaled_dot_product_attention": self._attend,
            "square": self._raise,
            "true_divide": self._divide,
        }
        convolutions = dict.fromkeys(("conv1d", "conv2d"), self._convolve) if rules.rule_conv == "gamma" else {}
        passed = dict.fromkeys(PASSED, self._pass)
        constant: dict[str, Callable[..., Tensor]] = dict.fromkeys(CONSTANT, self._hold)
        self._own = own | convolutions | passed | constant

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ARG002
        kwargs = kwargs or {}
        dependent = sum(tensor.requires_grad for tensor in find_tensors((args, kwargs)))
        if not dependent:
            return func(*args, **kwargs)
        name = func.__name__.strip("_")
        if name in PRODUCTS and dependent > 1:
            return self._complain(func, *args, **kwargs)
        rule = self._own.get(name)
        if rule is None:
            result = func(*args, **kwargs)
            known = name in PLAIN or not any(tensor.requires_grad for tensor in find_tensors(result))
            return result if known else self._note(name, result)
        if changes_in_place(func):
            return func(*args, **kwargs) if dependent == 1 and name in ("mul", "div") else self._complain(func, *args)
        return rule(func, *args, **kwargs)

    def _note(self, name: str, result: Any) -> Any:
        place = f"{self.locate()}: {name}"
        if place not in self.uncovered:
            self.uncovered.append(place)
        return result

    def _complain(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return self._note(func.__name__.strip("_"), func(*args, **kwargs))

    def _pass(self, func: Any, x: Tensor, *more: Any, **named: Any) -> Tensor:
        return gradients.pass_through(func(x.detach().clone(), *more, **named), x)  # some work in place

    def _hold(self, func: Any, *args: Any, **kwargs: Any) -> Tensor:
        return func(*args, **kwargs).detach()

    def _multiply(self, func: Any, a: Any, b: Any) -> Tensor:
        """Two factors that depend on the inputs get a half each (uniform rule, Achtibat et al., 2024)."""
        if all(isinstance(factor, Tensor) and factor.requires_grad for factor in (a, b)):
            return func(gradients.weaken(a, 0.5), gradients.weaken(b, 0.5))
        return func(a, b)

    def _divide(self, func: Any, a: Any, b: Any, **named: Any) -> Tensor:
        """What is divided by is a scale: a constant. ``rdiv`` has its operands in the other order."""
        if func.__name__ == "__rdiv__":
            return func(a, b).detach()
        if named.get("rounding_mode") is not None:
            return self._complain(func, a, b, **named)
        return func(a, b.detach() if isinstance(b, Tensor) else b)

    def _raise(self, func: Any, x: Tensor, exponent: Any = 2) -> Tensor:
        """A square is a product of two that are alike."""
        return x * x.detach() if exponent == 2 else self._complain(func, x, exponent)

    def _norm_layer(
        self, func: Any, x: Tensor, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
    ) -> Tensor:
        return gradients.norm_layer(func, x, shape, weight, bias, eps)

    def _norm_groups(
        self, func: Any, x: Tensor, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
    ) -> Tensor:
        return gradients.norm_groups(func, x, groups, weight, bias, eps)

    def _attend(
        self, func: Any, query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None, *more: Any, **named: Any
    ) -> Tensor:
        named |= dict(zip(("dropout_p", "is_causal"), more, strict=False))
        return gradients.attend(func, self.rules.attention == "attnlrp", query, key, value, attn_mask, **named)

    def _convolve(self, func: Any, x: Tensor, weight: Tensor, bias: Any = None, *more: Any, **named: Any) -> Tensor:
        made = gradients.convolve_gamma(func, self.rules.gamma, x, weight, bias, *more, **named)
        self._convolutions[id(made)] = _Convolution(made, func, x, weight, bias, more, named)
        return made

    def _norm_batch(
        self,
        func: Any,
        x: Tensor,
        mean: Any,
        variance: Any,
        weight: Any = None,
        bias: Any = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """One with the convolution that made ``x``, if one did: no order of modules can mislead.

        That of the inputs themselves is a change of their unit, and passes relevance on. Any other is linear.
        """
        value = func(x, mean, variance, weight, bias, training, momentum, eps)
        if training:
            return self._note("batch_norm with the batch's statistics", value)
        if x is self.inputs or x._base is self.inputs:
            return gradients.pass_through(value, x)
        convolution = self._convolutions.get(id(x)) if self.rules.fold_bn else None
        if convolution is None:
            return value
        whole = gradients.fold(convolution.weight, convolution.bias, mean, variance, weight, bias, eps)
        surrogate = gradients.convolve_gamma(
            convolution.function, self.rules.gamma, convolution.x, *whole, *convolution.more, **convolution.named
        )
        return gradients.graft(value.detach(), surrogate)


def find_tensors(nested: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and mappings."""
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, tuple | list):
        for one in nested:
            yield from find_tensors(one)
    elif isinstance(nested, dict):
        yield from find_tensors(list(nested.values()))


def changes_in_place(func: Any) -> bool:
    """Whether a function of torch is of those with one underscore at the end."""
    return func.__name__.endswith("_") and not func.__name__.endswith("__")


#: Modules of torch all of whose operations have a rule; those of others are looked at operation by operation.
COVERED: tuple[type[nn.Module], ...] = (
    *(nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.Identity, nn.Flatten, nn.Unflatten),
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding),
    *(nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh),
    *(nn.Hardtanh, nn.Hardswish, nn.Softsign, nn.Sigmoid, nn.Hardsigmoid, nn.Softmax),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Dropout1d, nn.Dropout2d),
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d),
)


def find_uncovered(network: nn.Module) -> list[str]:
    """Modules of torch without a rule, as ``path (class)``."""
    return [
        f"{name or 'the network itself'} ({type(module).__name__})"
        for name, module in network.named_modules()
        if any(kind.__module__.startswith("torch.nn.modules") and kind is not nn.Module for kind in type(module).mro())
        and not isinstance(module, COVERED)
    ]
