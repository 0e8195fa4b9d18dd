"""From a command line to jobs: Hydra composes and launches; one job a run, in a sweep one for every combination."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ser.config import complete, permit_own_keys
from ser.errors import InputError
from ser.hparams_search.space import join_names
from ser.language.nested import compose_stage
from ser.paths import find_own, find_shipped
from ser.suggest import suggest
from ser.sweep import JobsFailed, SweepJob, defer_to_jobs, split_overrides
from ser.values import check_values

log = logging.getLogger(__name__)
MISTAKES = (InputError, HydraException, OmegaConfBaseException)
# Our launchers have the names of the plugins' own, whose schemas check them; Hydra warns that it will stop doing so.
# Here rather than below, because jobs that compose for themselves (submitit's) import no more than this module.
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")


class Result(Protocol):
    """What a stage returns of a run."""

    @property
    def state(self) -> str:
        """``finished`` or ``skipped``."""

    @property
    def run_id(self) -> str:
        """Its MLflow run."""

    @property
    def key(self) -> str:
        """Its identity."""


#: A stage: (config, folder, labels, parent run) → result.
Stage = Callable[[DictConfig, Path, Mapping[str, str], str], "Result"]


def launch(name: str, stage: Stage, arguments: Sequence[str]) -> int:
    """Run a stage on a command line.

    Args:
        name: of the stage; ``conf/<name>.yaml`` is its primary configuration.
        stage: what to do with a composed configuration.
        arguments: Hydra overrides and flags.

    Returns:
        0, or 1 if a job of a sweep failed.

    Raises:
        InputError: the command or the input is wrong.
    """
    folder = find_shipped("conf")
    # Hydra reads its command line from here; its first item is free to keep what the user typed.
    sys.argv = [shlex.join(["ser", name, *arguments]), *permit_own_keys(join_names(arguments))]
    if {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments):
        folder = freeze_config(folder, find_own())
        sys.argv[1:] = freeze_own(defer_to_jobs(sys.argv[1:]))
    # Hydra would end the process with code 1 whatever is wrong; this makes it raise instead.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    mistakes: list[Exception] = []

    def load(stage_name: str, items: Sequence[str]) -> DictConfig:
        return GlobalHydra.instance().config_loader().load_configuration(stage_name, list(items), RunMode.RUN)

    def load_choice(group: str, choice: str) -> DictConfig:
        return load(name, [f"{group}={choice}"])[group]

    def task(config: DictConfig) -> None:
        try:
            settings = HydraConfig.get()
            check_values(config, settings.overrides.task, folder / f"{name}.yaml")
            completed = complete(config, settings.runtime.choices, load_choice, settings.overrides.task)
            run_job(stage, compose_stage(completed, load))
        except MISTAKES as error:  # kept from Hydra, which would print a line of its own about it
            mistakes.append(error)

    try:
        hydra.main(version_base="1.3", config_path=str(folder), config_name=name)(task)()
    except JobsFailed:
        return 1
    except (HydraException, OmegaConfBaseException) as error:
        mistakes.append(error)
    if mistakes:
        raise suggest(mistakes[0], name, arguments) or explain_mistake(mistakes[0]) from mistakes[0]
    return 0


def run_job(stage: Stage, config: DictConfig) -> None:
    """Run one job where Hydra put it; in a sweep a failure is written down and the others go on."""
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    if settings.mode != RunMode.MULTIRUN:
        if config.get("hparams_search"):
            raise InputError("hparams_search: a search is a sweep", remedy=f"ser {settings.job.name} -m …")
        stage(config, folder, {}, "")
        sys.stdout.write(f"{folder}\n")
        return
    job = SweepJob.begin(Path(settings.sweep.dir), folder, settings.job.num, split_overrides(settings.overrides.task))
    began = time.perf_counter()
    try:
        result = stage(config, folder, job.labels, job.open_parent(config))
        job.end(result.state, time.perf_counter() - began, run_id=result.run_id, key=result.key)
    except MISTAKES as error:
        reason = str(explain_mistake(error))
        log.error("job %d refused: %s", job.number, reason)
        job.end("refused", time.perf_counter() - began, reason=reason)
    except Exception as error:  # the sweep goes on whatever a job does
        log.exception("job %d failed", job.number)
        job.end("failed", time.perf_counter() - began, reason=f"{type(error).__name__}: {error}")


def explain_mistake(error: Exception) -> InputError:
    """What a user needs of an error in command or configuration: its messages without traceback."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return cause
        cause = cause.__cause__
    below = [error.__cause__] if isinstance(error.__cause__, OmegaConfBaseException) else []
    lines = [str(item).strip() for item in (error, *below)]
    return InputError("\n".join(dict.fromkeys(lines)), remedy="`ser list` shows groups and choices, --cfg job the keys")


def freeze_own(arguments: Sequence[str]) -> list[str]:
    """The command line with the user's own configuration folder (``--config-dir``) replaced by a copy of it."""
    frozen = list(arguments)
    for place, argument in enumerate(arguments):
        flag, _, value = argument.partition("=")
        if flag == "--config-dir" and value and Path(value).is_dir():
            frozen[place] = f"{flag}={freeze_config(Path(value))}"
        if argument in ("--config-dir", "-cd") and Path(*arguments[place + 1 : place + 2]).is_dir():
            frozen[place + 1] = str(freeze_config(Path(arguments[place + 1])))
    return frozen


def freeze_config(conf: Path, own: Path | None = None) -> Path:
    """A copy of the configuration folder under its content's hash, so that later edits do not reach queued jobs.

    Args:
        conf: the folder.
        own: the user's, whose files win.
    """
    layers = [layer for layer in (conf, own) if layer is not None]
    files = {path.relative_to(layer): path for layer in layers for path in layer.rglob("*.yaml")}
    content = blake2b(digest_size=6)
    for name in sorted(files):
        content.update(str(name).encode() + files[name].read_bytes())
    frozen = Path(os.environ.get("SER_OUTPUTS", "outputs")).absolute() / "conf" / content.hexdigest()
    if not frozen.is_dir():
        temporary = frozen.with_name(f"{frozen.name}.{os.getpid()}.tmp")
        for name, path in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, temporary / name)
        try:
            temporary.rename(frozen)
        except OSError:  # another process was first
            shutil.rmtree(temporary)
    return frozen
