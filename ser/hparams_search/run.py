"""A search from its first proposal to its last result; Hydra's launcher runs the trials."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ser.errors import InputError
from ser.hparams_search.outcome import find_score, track_best, write_record
from ser.hparams_search.settings import Search, hold_search, read_search
from ser.sweep import SweepJob, gather_jobs, split_overrides
from ser.train import needs_validation

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)


def run_search(config: DictConfig, loader: ConfigLoader, launcher: Launcher) -> None:
    """Propose, launch and score until there are ``n_trials``.

    Args:
        config: of the sweep, with ``hparams_search``.
        loader: composes jobs.
        launcher: runs them.

    Raises:
        InputError: a trial would have no validation part to be scored on.
        HydraException: a choice or key that does not exist.
    """
    search = read_search(config)
    assert search is not None
    folder = Path(config.hydra.sweep.dir).absolute()
    OmegaConf.save(config, folder / "multirun.yaml")
    trials = Trials(search, folder, config, loader, launcher)
    trials.check_choices()
    from ser.hparams_search.study import list_trials, open_study, propose

    with hold_search(folder):
        study = open_study(folder, search)
        parent = SweepJob.begin(folder, folder, 0, {}).open_parent(config)
        while batch := propose(study, search):
            write_record(folder, search, list_trials(study, search), gather_jobs(folder))
            trials.launch(batch)
            trials.score(study, batch)
        write_record(folder, search, list_trials(study, search), gather_jobs(folder))
        track_best(instantiate(config.tracking), parent, folder)


@dataclass(frozen=True)
class Trials:
    """Trials as jobs of a sweep: a trial's number is its job's."""

    search: Search
    folder: Path
    config: DictConfig
    loader: ConfigLoader
    launcher: Launcher

    def check_choices(self) -> None:
        """Compose a job for every choice in the space, and see that each would have a validation part."""
        space = self.search.space
        first = {name: values.samples[0] for name, values in space.items()}
        others = [first | {name: value} for name, values in space.items() for value in values.samples[1:]]
        for values in (first, *others):
            config = self.compose(self.search.complete(values))
            head = instantiate(config.head, class_weight=config.class_weight)
            if not needs_validation(config, head):
                without = ", trainer.early_stopping=null" if head.uses_trainer else ""
                raise InputError(
                    f"hparams_search: head={config.hydra.runtime.choices.head}{without} has no validation part, "
                    f"and {self.search.monitor} is to choose",
                    expected="a head that is trained by epochs, and trainer.early_stopping",
                    remedy="head=linear or head=mlp; heads of scikit-learn tune themselves inside the training part "
                    "(head.tune=true)",
                )

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Configuration of a job."""
        return self.loader.load_sweep_config(self.config, list(overrides))

    def launch(self, batch: Sequence[FrozenTrial]) -> None:
        """Run trials, together where their numbers are neighbours: a launcher counts on from its first job's."""
        jobs = {trial.number: self.search.spell(trial.params) for trial in batch}
        for number in list(jobs):
            try:
                self.compose(jobs[number])
            except (HydraException, OmegaConfBaseException) as error:
                self.write_off(number, jobs.pop(number), "refused", str(error.__cause__ or error).strip())
        for numbers in group_neighbours(list(jobs)):
            self.launch_together({number: jobs[number] for number in numbers})

    def launch_together(self, jobs: dict[int, list[str]]) -> None:
        """Run jobs at once; where a process dies and takes others along, those without a result run alone."""
        try:
            self.launcher.launch(list(jobs.values()), initial_job_idx=min(jobs))
            problem: Exception | None = None
        except Exception as error:
            log.exception("the launcher failed")
            problem = error
        ended = {job["job"] for job in gather_jobs(self.folder)}
        for number in [number for number in jobs if number not in ended]:
            if len(jobs) > 1:
                self.launch_together({number: jobs[number]})
            else:
                reason = f"its process died ({type(problem).__name__})" if problem else "it left no result"
                self.write_off(number, jobs[number], "failed", reason)

    def write_off(self, number: int, overrides: Sequence[str], state: str, reason: str) -> None:
        """Write down what became of a job that could not do so itself."""
        own = self.folder / str(number)
        own.mkdir(exist_ok=True)
        SweepJob.begin(self.folder, own, number, split_overrides(overrides)).end(state, 0.0, reason=reason)

    def score(self, study: Study, batch: Sequence[FrozenTrial]) -> None:
        """Tell the study what became of trials."""
        from optuna.trial import TrialState

        jobs = {job["job"]: job for job in gather_jobs(self.folder)}
        for trial in batch:
            value, reason = find_score(self.folder, jobs[trial.number], self.search.monitor)
            if value is None:
                log.warning("trial %d counts as failed: %s", trial.number, reason)
                study.tell(trial.number, state=TrialState.FAIL)
            else:
                study.tell(trial.number, value)


def group_neighbours(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Ascending numbers in groups without gaps."""
    group: list[int] = []
    for number in numbers:
        if group and number != group[-1] + 1:
            yield group
            group = []
        group.append(number)
    if group:
        yield group
