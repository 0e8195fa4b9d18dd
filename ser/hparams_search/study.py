"""Proposals: an Optuna study in the search's directory, which a killed search takes up where it stood.

Optuna's journal file is used because SQLite takes 2 s to create and 0.15 s a trial more, and because one process alone
writes: the jobs, wherever they run, leave their scores in files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
from hydra.utils import instantiate
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ser.hparams_search.settings import JOURNAL, Search


def open_study(folder: Path, search: Search) -> optuna.Study:
    """The study in a directory that this process holds (:func:`ser.hparams_search.settings.hold_search`).

    Raises:
        hydra.errors.InstantiationException: no such sampler, or one that takes no seed.
    """
    sampler = make_sampler(search, 0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / JOURNAL
    mend_journal(path)
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(
        storage=storage, sampler=sampler, study_name="search", direction=search.direction, load_if_exists=True
    )


def make_sampler(search: Search, place: int) -> BaseSampler:
    """The sampler of one proposal, with a random stream of its own."""
    seed = int(np.random.SeedSequence([search.seed, place]).generate_state(1)[0])
    return instantiate(dict(search.sampler), seed=seed)


def mend_journal(path: Path) -> None:
    """Take off what a process that died left: its lock, on which Optuna would wait 30 s, and half a last line."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    content = path.read_bytes() if path.is_file() else b""
    if content and not content.endswith(b"\n"):
        path.write_bytes(content[: content.rfind(b"\n") + 1])


def list_trials(study: optuna.Study, search: Search) -> list[FrozenTrial]:
    """Trials that were proposed completely."""
    return [trial for trial in study.get_trials() if set(trial.params) == set(search.space)]


def propose(study: optuna.Study, search: Search) -> list[FrozenTrial]:
    """The trials to run next: those left by a process that died, and new ones; none when all have ended.

    Batches begin at multiples of ``n_jobs`` and each proposal has a random stream of its own, so that a search which
    was killed proposes what it would have proposed.
    """
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if set(trial.params) != set(search.space):  # killed between two values of a proposal
            study.tell(trial.number, state=TrialState.FAIL)
    known = list_trials(study, search)
    waiting = [trial for trial in known if trial.state == TrialState.RUNNING]
    number = len(known)
    end = number if waiting and number % search.batch == 0 else (number // search.batch + 1) * search.batch
    distributions = {name: values.distribute() for name, values in search.space.items()}
    for place in range(number, min(end, search.trials)):
        study.sampler = make_sampler(search, place)
        study.ask(distributions)
    return [trial for trial in list_trials(study, search) if trial.state == TrialState.RUNNING]
