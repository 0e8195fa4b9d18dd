"""What can be chosen of the rules."""

from __future__ import annotations

from dataclasses import dataclass

from ser.errors import InputError


@dataclass(frozen=True)
class Rules:
    """How relevance passes through a network.

    Args:
        rule_conv: of convolutions. ``epsilon``: by contributions as they are, bias included (Bach et al., 2015; the
            stabilising epsilon is zero). ``gamma``: contributions of the sign of the outcome count more (Montavon et
            al., 2019), in the form for inputs of both signs.
        gamma: by how much more.
        attention: ``attnlrp``: a half to the values, a quarter each to queries and keys (Achtibat et al., 2024).
            ``cplrp``: all of it to the values, attention weights are constants (Ali et al., 2022).
        fold_bn: take a batch normalisation and the convolution that it reads as one convolution.
        start: what is distributed. ``margin``: logit minus mean of the others' weighted by their softmax, the
            linear part of the margin that all explainers explain; ``logit``: that of the class alone.

    Raises:
        InputError: unknown choices, a gamma below zero.
    """

    rule_conv: str = "gamma"
    gamma: float = 0.25
    attention: str = "attnlrp"
    fold_bn: bool = True
    start: str = "margin"

    def __post_init__(self) -> None:
        choices = {"rule_conv": ("gamma", "epsilon"), "attention": ("attnlrp", "cplrp"), "start": ("margin", "logit")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InputError(f"explainer.{name}={getattr(self, name)}", expected=" or ".join(known))
        if not self.gamma >= 0:
            raise InputError(f"explainer.gamma={self.gamma}", expected="0 or more; 0 is the same as rule_conv=epsilon")
