"""One rule for every function of torch between inputs and logits; none is left to its plain gradient by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from ser.explainer.relevance import gradients
from ser.explainer.relevance.operations import CONSTANT, CONVOLUTIONS, PASSED, PLAIN, PRODUCTS
from ser.explainer.relevance.rules import Rules


class _Convolution(NamedTuple):
    """A call of a convolution, kept with its outcome so that no other tensor takes its place in memory."""

    made: Tensor
    function: gradients.Function
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    more: tuple[Any, ...]
    named: dict[str, Any]


class FoldFinder(TorchFunctionMode):
    """While it is entered, notes which convolutions, by their order, are read by a batch normalisation alone."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[Any] = []
        self._normed: set[int] = set()
        self._read: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        heard = {id(tensor) for tensor in find_tensors((args, kwargs))}
        places = {place for place, made in enumerate(self._made) if id(made) in heard}
        if func.__name__ == "batch_norm":
            self._normed |= places
        elif next(find_tensors(result), None) is not None:
            self._read |= places
        if func.__name__ in CONVOLUTIONS:
            self._made.append(result)
        return result

    @property
    def found(self) -> set[int]:
        """Their numbers."""
        return self._normed - self._read


class RelevanceMode(TorchFunctionMode):
    """While it is entered, gradients are those of rules.

    Args:
        rules: the choices.
        inputs: of the network.
        locate: where in the network we are.
        folded: convolutions, by their order, that are one with the batch normalisation behind them.

    Attributes:
        uncovered: operations without a rule, as ``module: operation``, in order.
    """

    def __init__(self, rules: Rules, inputs: Tensor, locate: Callable[[], str], folded: Set[int] = frozenset()) -> None:
        super().__init__()
        self.rules = rules
        self.inputs = inputs
        self.locate = locate
        self.folded = folded
        self.uncovered: list[str] = []
        self._convolutions: dict[int, _Convolution] = {}
        self._count = 0
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
        convolutions = dict.fromkeys(CONVOLUTIONS, self._convolve) if rules.rule_conv == "gamma" else {}
        passed = dict.fromkeys(PASSED, self._pass)
        constant: dict[str, Callable[..., Tensor]] = dict.fromkeys(CONSTANT, self._hold)
        self._own = own | convolutions | passed | constant

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._count += func.__name__ in CONVOLUTIONS
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
        if changes_in_place(func) and not (dependent == 1 and name in ("mul", "div")):
            return self._complain(func, *args, **kwargs)
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
        if self._count - 1 not in self.folded:
            return gradients.convolve_gamma(func, self.rules.gamma, x, weight, bias, *more, **named)
        made = func(x, weight, bias, *more, **named)
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
        """One with the convolution that made ``x``, if it is folded: no order of modules can mislead.

        That of the inputs themselves is a change of their unit, and passes relevance on. Any other is linear.
        """
        value = func(x, mean, variance, weight, bias, training, momentum, eps)
        if training:
            return self._note("batch_norm with the batch's statistics", value)
        if x is self.inputs or x._base is self.inputs:
            return gradients.pass_through(value, x)
        convolution = self._convolutions.get(id(x))
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
