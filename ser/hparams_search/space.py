"""The search space: which overrides a search may set, and to what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.core.override_parser.types import Quote, QuotedString

from ser.errors import InputError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: What an override takes for a string without quotes.
NAME = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_][\w./-]*", re.IGNORECASE | re.ASCII)
SPACE = "hparams_search.space"
BOUNDS, OPTIONS = {"low", "high"}, {"log", "step"}
EXAMPLE = "hparams_search.space.head.dropout='{low:0.0,high:0.6}' or hparams_search.space.head=[linear,mlp]"


@dataclass(frozen=True)
class Choice:
    """Values without order, spelt as overrides spell them."""

    values: tuple[str, ...]

    @property
    def samples(self) -> tuple[str, ...]:
        """Values to try a composition with: all of them."""
        return self.values

    def describe(self) -> list[str]:
        """As the space's YAML says it."""
        return list(self.values)

    def spell(self, value: Any) -> str:
        """A proposed value as an override spells it."""
        return str(value)

    def distribute(self) -> BaseDistribution:
        """What Optuna draws from."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, whole ones if both ends (and the step) are."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))

    @property
    def samples(self) -> tuple[str, ...]:
        """Values to try a composition with: one is like another."""
        return (self.spell(self.low),)

    def describe(self) -> dict[str, float | bool | None]:
        """As the space's YAML says it."""
        return asdict(self)

    def spell(self, value: Any) -> str:
        """A proposed value as an override spells it; six digits keep names readable and keys of runs equal."""
        if self.whole:
            return str(int(value))
        text = repr(min(max(float(f"{value:.6g}"), self.low), self.high))
        return text if {".", "e"} & set(text) else f"{text}.0"

    def distribute(self) -> BaseDistribution:
        """What Optuna draws from."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)


Space: TypeAlias = dict[str, Choice | Range]


def join_names(arguments: Sequence[str]) -> list[str]:
    """The command line with ``hparams_search.space.head.dropout=…`` as an entry of one mapping, dots and all.

    Hydra would nest the names, and ``optimizer: [adamw, sgd]`` cannot hold ``optimizer.lr``.

    Raises:
        InputError: a value that is neither a range nor a list.
    """
    joined = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        inside = name.lstrip("+").removeprefix(SPACE)
        if not name.lstrip("+").startswith(SPACE) or inside[:1] not in ("", "."):
            joined.append(argument)
        elif not value.startswith(("{", "[")):
            raise refuse(inside[1:], value)
        else:
            joined.append(f"++{SPACE}={value}" if not inside else f"++{SPACE}={{{inside[1:]}:{value}}}")
    return joined


def read_space(settings: Mapping[str, Any], prefix: str = "") -> Space:
    """Override → what it may be, from ``hparams_search.space``; names may be nested or joined by dots.

    Raises:
        InputError: neither a range nor a list of choices.
    """
    space: Space = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and BOUNDS & set(value):
            space[name] = read_range(name, value)
        elif isinstance(value, Mapping) and value:
            space |= read_space(value, f"{name}.")
        elif isinstance(value, list) and value:
            space[name] = Choice(tuple(dict.fromkeys(spell_value(item) for item in value)))
        else:
            raise refuse(name, value)
    return space


def read_range(name: str, settings: Mapping[str, Any]) -> Range:
    """A range; raises InputError for ends, steps or keys that make none."""
    numbers = [settings.get(key) for key in ("low", "high")] + [settings[key] for key in ("step",) if key in settings]
    known = set(settings) <= BOUNDS | OPTIONS
    if not known or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers):
        raise refuse(name, dict(settings))
    found = Range(settings["low"], settings["high"], settings.get("step"), bool(settings.get("log", False)))
    if found.low >= found.high or (found.step is not None and found.step <= 0):
        raise refuse(name, dict(settings))
    if found.log and (found.low <= 0 or found.step is not None):
        raise InputError(f"hparams_search.space.{name}: log needs low > 0 and no step", expected=EXAMPLE)
    return found


def refuse(name: str, value: Any) -> InputError:
    """What is wrong with an entry of the space."""
    return InputError(
        f"hparams_search.space.{name}={value}",
        expected="{low: …, high: …} with low < high, if need be log: true or step: …; or a list of choices",
        remedy=f"such as {EXAMPLE}",
    )


def spell_value(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{spell_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(spell_value, value)) + "]"
    if isinstance(value, str) and not NAME.fullmatch(value):
        return QuotedString(value, Quote.single).with_quotes()
    return str(value)
