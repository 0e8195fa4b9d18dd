"""Which functions and modules of torch have a rule, by name; :mod:`ser.explainer.relevance.mode` applies them."""

from __future__ import annotations

from torch import nn

#: Linear in what depends on the inputs, or a choice among its elements (maxima, clamps): their gradient is the rule.
PLAIN = frozenset(
    (
        *("add", "cumsum", "mean", "neg", "positive", "rsub", "sub", "subtract", "sum"),
        *("bmm", "conv1d", "conv2d", "einsum", "linear", "matmul", "tensordot"),
        *("amax", "amin", "clamp", "clamp_max", "clamp_min", "clip", "max", "maximum", "min", "minimum", "where"),
        *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"),
        *("avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d", "dropout", "dropout1d", "dropout2d"),
        *("cat", "concat", "concatenate", "pad", "repeat", "repeat_interleave", "stack", "tile"),
        *("broadcast_to", "expand", "expand_as", "flatten", "reshape", "reshape_as", "squeeze", "unflatten"),
        *("unsqueeze", "view", "view_as", "flip", "movedim", "moveaxis", "permute", "roll", "swapaxes", "swapdims"),
        *("t", "transpose", "chunk", "diagonal", "gather", "get", "getitem", "index_select", "iter", "masked_select"),
        *("narrow", "select", "split", "tensor_split", "unbind", "unfold", "masked_fill", "masked_scatter"),
        *("copy", "fill", "setitem", "tril", "triu", "zero"),
        *("clone", "contiguous", "cpu", "cuda", "double", "float", "half", "requires_grad", "to", "type", "type_as"),
    )
)
#: Of those, products: as long as one factor alone depends on the inputs.
PRODUCTS = frozenset(("bmm", "conv1d", "conv2d", "einsum", "linear", "matmul", "tensordot"))
#: Those that have a rule of their own, if it is chosen.
CONVOLUTIONS = frozenset(("conv1d", "conv2d"))
#: Elementwise, and zero at zero: relevance passes.
PASSED = frozenset(
    (
        *("celu", "elu", "gelu", "hardswish", "hardtanh", "leaky_relu", "mish", "prelu", "relu", "relu6", "selu"),
        *("silu", "softsign", "sqrt", "tanh"),
    )
)
#: Gates, weights of a mean, and what a norm divides by scale other things: they are constants, those get the relevance.
CONSTANT = frozenset(("hardsigmoid", "reciprocal", "rsqrt", "sigmoid", "softmax"))
#: Modules of torch all of whose operations have a rule; those of others are looked at operation by operation.
COVERED: tuple[type[nn.Module], ...] = (
    *(
        nn.Sequential,
        nn.ModuleList,
        nn.ModuleDict,
        nn.ParameterList,
        nn.ParameterDict,
        nn.Identity,
        nn.Flatten,
        nn.Unflatten,
    ),
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Embedding),
    *(nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d),
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
