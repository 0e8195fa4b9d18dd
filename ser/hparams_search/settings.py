"""What a search is asked to do, read from ``hparams_search`` and checked before any work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ser.config import FOR_DIMENSIONS, FOR_EMOTIONS, name_override, permit_own_keys
from ser.dataset.target import list_dimensions
from ser.errors import InputError
from ser.hparams_search.space import EXAMPLE, Space, read_space
from ser.results import read_json

GROUP = "hparams_search"
RECORD, JOURNAL = "search.json", "search.journal"
#: What decides which clips are scored: values under it cannot be compared by their scores.
COMPARED_ON = ("dataset", "data.train", "data.test", "split", "metrics")


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        space: what varies.
        fixed: the other overrides of the command.
        monitor: the validation score that decides.
        direction: ``maximize`` or ``minimize``.
        trials: how many there are to be in the end.
        batch: how many are proposed at a time.
        seed: of the proposals.
        sampler: ``_target_`` and arguments of an Optuna sampler.
    """

    space: Space
    fixed: tuple[str, ...]
    monitor: str
    direction: Literal["maximize", "minimize"]
    trials: int
    batch: int
    seed: int
    sampler: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """Hash of what must stay as it is when the search goes on; it may go further, or in larger steps."""
        content = [self.describe(), sorted(self.fixed), self.monitor, self.direction, self.seed, dict(self.sampler)]
        return blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()

    def describe(self) -> dict[str, Any]:
        """The space as its YAML says it."""
        return {name: values.describe() for name, values in self.space.items()}

    def spell(self, params: Mapping[str, Any]) -> list[str]:
        """Overrides of the trial with the proposed values."""
        return self.complete({name: values.spell(params[name]) for name, values in self.space.items()})

    def complete(self, values: Mapping[str, str]) -> list[str]:
        """The fixed overrides and those that vary."""
        return [*self.fixed, *permit_own_keys([f"{name}={value}" for name, value in values.items()])]


def read_search(config: DictConfig) -> Search | None:
    """The search that a sweep's configuration asks for, ``None`` for a sweep over every combination.

    Raises:
        InputError: a search that would not work, or that would choose by what it must not see.
    """
    if not config.get(GROUP):
        return None
    if find_spec("optuna") is None:
        raise InputError("hparams_search=optuna: Optuna is not installed", remedy="pip install 'ser[optuna]'")
    settings: Any = OmegaConf.to_container(config[GROUP], resolve=True)
    if "sampler" not in settings:
        raise InputError("hparams_search.space is set, but nothing searches it", remedy="pass hparams_search=optuna")
    space = read_space(settings["space"])
    check_space(space)
    search = Search(
        space=space,
        fixed=tuple(list_fixed(config.hydra.overrides.task, space)),
        monitor=choose_monitor(settings["monitor"], config),
        direction=settings["direction"],
        trials=settings["n_trials"],
        batch=settings["n_jobs"],
        seed=settings["seed"],
        sampler=settings["sampler"],
    )
    if search.direction not in ("maximize", "minimize"):
        raise InputError(f"hparams_search.direction={search.direction}", expected="maximize or minimize")
    if search.trials < 1 or search.batch < 1:
        problem = f"hparams_search.n_trials={search.trials}, hparams_search.n_jobs={search.batch}"
        raise InputError(f"{problem}: both must be positive")
    return search


def check_space(space: Space) -> None:
    """Raise InputError for an empty space and for one over what scores are compared on."""
    if not space:
        raise InputError("hparams_search.space is empty: nothing to search", remedy=f"pass {EXAMPLE}")
    for name in space:
        if any(name == part or name.startswith((f"{part}.", f"{part}/")) for part in COMPARED_ON):
            raise InputError(
                f"hparams_search.space.{name}: it decides which clips are scored, so trials could not be compared",
                remedy=f"fix {name}=…, or search once for each of its values",
            )


def list_fixed(overrides: Sequence[str], space: Space) -> list[str]:
    """Overrides of the command that every trial has; raises InputError where one is a sweep."""
    fixed = []
    for text, item in zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True):
        name = name_override(item)
        if item.is_sweep_override():
            values = ",".join(map(str, item.sweep_string_iterator())) if item.is_discrete_sweep() else "…"
            raise InputError(
                f"{text}: a search has no sweeps beside it",
                remedy=f"to search over it, pass hparams_search.space.{name}=[{values}]; else give it one value",
            )
        if name != GROUP and not name.startswith(f"{GROUP}.") and name not in space:
            fixed.append(text)
    return fixed


def choose_monitor(monitor: str, config: DictConfig) -> str:
    """The score that decides; raises InputError for one that is not of the validation part."""
    if monitor == "auto":
        return (FOR_DIMENSIONS if list_dimensions(config.dataset.target) else FOR_EMOTIONS)[1]
    if not monitor.startswith("val/"):
        raise InputError(
            f"hparams_search.monitor={monitor}: only validation scores may choose; the test part is for the winner",
            expected="val/uar, val/wa, val/f1_macro, …; for dimensions val/ccc, val/mae, …",
        )
    return monitor


@contextmanager
def hold_search(folder: Path) -> Iterator[None]:
    """Keep a second process out of a search's directory; the system lets go if this one dies.

    Raises:
        InputError: another process is at it.
    """
    lock = FileLock(folder / ".search.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(
            f"hydra.sweep.dir={folder}: another process runs this search",
            remedy="wait for it, or pass another hydra.sweep.dir",
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_folder(folder: Path, search: Search | None) -> bool:
    """Whether a directory holds the beginnings of this search.

    Raises:
        InputError: it holds another search, or another process is at it.
    """
    known = read_json(folder / RECORD).get("identity")
    if known is None:
        return False
    if search is None or search.identity != known:
        raise InputError(
            f"hydra.sweep.dir={folder}: another search was begun there",
            expected="the command that began it; n_trials and n_jobs may change",
            remedy=f"its command is in {folder / 'sweep.json'}; or pass another hydra.sweep.dir",
        )
    with hold_search(folder):
        return (folder / JOURNAL).is_file()
