"""What a choice of the group ``language`` is, and the one thing it does: a backbone starts from other weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from ser.backbone.transformer import Transformer
from ser.errors import InputError
from ser.language.heard import Heard, check_leaks, write_heard

#: What an identity says of libraries, not of weights.
VERSIONS = ("versions", "forward")


class Language(Protocol):
    """A choice of ``conf/language``."""

    def list_heard(self, backbone: Any) -> list[Heard]:
        """What the weights that :meth:`apply` chooses have heard; says so before anything is trained.

        Raises:
            InputError: a backbone that cannot take these weights, or weights that are not there.
        """

    def apply(self, backbone: Any) -> Any:
        """The backbone with its weights replaced; may train them first."""


def choose_weights(language: Language, backbone: Any, tested: pd.DataFrame) -> tuple[Any, dict[str, Any]]:
    """The backbone as the choice of language has it start, unless the test part was heard.

    Args:
        language: where the weights come from.
        backbone: of the run, as its YAML says.
        tested: manifest rows of all test parts, with the column ``dataset``.

    Returns:
        The backbone, and what a run keeps of it as ``language.json``; empty if there is nothing to keep.

    Raises:
        LeakError: before anything is trained: speakers or clips of the test parts are among what was heard.
    """
    heard = language.list_heard(backbone)
    check_leaks(heard, tested)
    applied = language.apply(backbone)
    if applied is backbone and not heard:
        return applied, {}
    return applied, {"source": applied.source, "heard": write_heard(heard)}


def start_from(backbone: Any, source: Path | str) -> Any:
    """The backbone with the weights of a folder, or of an id on the hub."""
    return replace(backbone, source=str(source), revision=None)


def check_backbone(backbone: Any, shown: str, kind: type[Transformer] = Transformer) -> None:
    """Raise InputError unless a backbone is a network of some kind, whose weights can come from elsewhere."""
    if not isinstance(backbone, kind):
        raise InputError(
            f"{shown}: {type(backbone).__name__} has no weights that could come from there, or learn there",
            expected="a network that reads a checkpoint of " + ", ".join(list_families(kind)),
            remedy="choose such a backbone",
        )


def list_families(kind: type[Transformer]) -> list[str]:
    """Families of networks that a kind of backbone, or any below it, reads."""
    below = [name for each in kind.__subclasses__() for name in list_families(each)]
    return sorted({*getattr(kind, "families", ()), *below})


def check_origin(backbone: Any, origin: Any, shown: str) -> None:
    """Refuse weights that were fine-tuned from others than the backbone's: a comparison would have two differences.

    Args:
        backbone: of the run, as its YAML says.
        origin: the identity of the backbone that was fine-tuned.
        shown: what messages call the fine-tuning.
    """
    mine, theirs = (
        {name: value for name, value in each.items() if name not in VERSIONS}
        for each in (json.loads(json.dumps(backbone.identify(), default=str)), origin)
    )
    if mine != theirs:
        raise InputError(
            f"{shown}: it was fine-tuned from another network or other weights than the backbone has",
            expected=f"a run that started from {describe(mine)}; this one started from {describe(theirs)}",
            remedy="choose the backbone that it was trained with, or a run for this backbone",
        )


def describe(identity: Any) -> str:
    """An identity in a few words."""
    return ", ".join(
        f"{name} {identity[name]}" for name in ("family", "weights", "seed", "normalise") if name in identity
    )
