"""Proposals do not depend on where a search was killed, and trials whose process dies do not end it."""

import itertools
import json

import optuna
import pytest
from hydra.errors import ConfigCompositionException
from optuna.trial import TrialState

from ser.errors import InputError
from ser.hparams_search.outcome import find_score
from ser.hparams_search.run import Trials, group_neighbours
from ser.hparams_search.settings import JOURNAL, RECORD, Search, check_folder, hold_search
from ser.hparams_search.space import Choice, Range
from ser.hparams_search.study import list_trials, mend_journal, open_study, propose
from ser.results import write_json
from ser.sweep import SweepJob, gather_jobs

SAMPLER = {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 3, "constant_liar": True}
SPACE = {"a": Range(0.0, 1.0), "b": Range(1, 8), "c": Choice(("x", "y", "z"))}


def make_search(**changed):
    known = {"space": SPACE, "fixed": (), "monitor": "val/uar", "direction": "maximize"}
    return Search(**{**known, "trials": 9, "batch": 2, "seed": 1, "sampler": SAMPLER, **changed})


def score(params):
    return params["a"] - abs(params["b"] - 3) + {"x": 0.0, "y": 1.0, "z": -1.0}[params["c"]]


class Killed(Exception):
    pass


def go_on(folder, search, budget):
    """Run a search until it has ended, or its budget of steps (a proposal of a batch, a told trial) is used up."""
    left = iter(range(budget))

    def step():
        if next(left, None) is None:
            raise Killed

    study = open_study(folder, search)
    ask = study.ask
    study.ask = lambda *a: (step(), ask(*a))[1]
    while batch := propose(study, search):
        for trial in batch:
            step()
            study.tell(trial.number, score(trial.params)) if trial.params["b"] != 5 else study.tell(
                trial.number, state=TrialState.FAIL
            )
    return [(trial.number, trial.params, trial.state, trial.values) for trial in list_trials(study, search)]


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_killed_search_proposes_what_it_would_have(batch, tmp_path):
    search = make_search(batch=batch)
    (tmp_path / "whole").mkdir()
    whole = go_on(tmp_path / "whole", search, 1000)
    assert len(whole) == 9 and len({str(params) for _, params, *_ in whole}) > 5
    for budget in (1, 2, 3, 5):
        folder = tmp_path / f"killed-{budget}"
        folder.mkdir()
        for attempt in itertools.count():
            assert attempt < 40
            try:
                found = go_on(folder, search, budget)
            except Killed:
                continue
            assert found == whole and attempt > 0
            break


def test_a_search_goes_further(tmp_path):
    first = go_on(tmp_path, make_search(trials=5), 1000)
    assert len(first) == 5
    second = go_on(tmp_path, make_search(trials=8), 1000)
    assert len(second) == 8 and second[:5] == first
    assert go_on(tmp_path, make_search(trials=3), 1000) == second, "nothing is taken away"


def test_seeds_differ(tmp_path):
    found = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        found.append(go_on(tmp_path / str(seed), make_search(seed=seed, trials=2), 1000))
    assert found[0] != found[1]


def test_half_a_proposal_is_given_up(tmp_path):
    search = make_search(batch=1)
    study = open_study(tmp_path, search)
    study.ask({"a": SPACE["a"].distribute()})  # killed before b and c were drawn
    found = go_on(tmp_path, search, 1000)
    assert [number for number, *_ in found] == list(range(1, 10))
    assert study.get_trials()[0].state == TrialState.FAIL


def test_a_journal_cut_short_and_a_lock_left_behind_do_no_harm(tmp_path):
    search = make_search(trials=4)
    whole = go_on(tmp_path, search, 1000)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes() + b'{"op_code":6,"wor')
    path.with_name(f"{JOURNAL}.lock").symlink_to(path)
    assert go_on(tmp_path, search, 1000) == whole
    assert len(go_on(tmp_path, make_search(trials=6), 1000)) == 6
    mend_journal(tmp_path / "none")


def test_a_folder_holds_one_search_and_one_process(tmp_path):
    search = make_search()
    assert check_folder(tmp_path, None) is check_folder(tmp_path, search) is False
    write_json(tmp_path / RECORD, {"identity": search.identity})
    assert check_folder(tmp_path, search) is False, "begun, but nothing proposed"
    (tmp_path / JOURNAL).touch()
    assert check_folder(tmp_path, search) is True
    for other in (None, make_search(seed=2)):
        with pytest.raises(InputError, match="another search was begun there"):
            check_folder(tmp_path, other)
    with hold_search(tmp_path), pytest.raises(InputError, match="another process runs this search"):
        check_folder(tmp_path, search)


class Loader:
    def load_sweep_config(self, config, overrides):
        if "a=3" in overrides:
            raise ConfigCompositionException("no such thing")
        return config


class Launcher:
    """Runs jobs; the process of a=2 dies, and with it everything that has not ended."""

    def __init__(self, folder):
        self.folder, self.calls = folder, []

    def launch(self, jobs, initial_job_idx):
        self.calls.append((initial_job_idx, len(jobs)))
        for number, overrides in enumerate(jobs, initial_job_idx):
            if "a=2" in overrides:
                raise RuntimeError("terminated worker")
            own = self.folder / str(number)
            own.mkdir(exist_ok=True)
            write_json(own / "metrics.json", {"val/uar": None if "a=4" in overrides else number / 10})
            SweepJob.begin(self.folder, own, number, {}).end("finished", 0.1, run_id=f"run-{number}")


def test_a_process_that_dies_takes_no_other_trial_along(tmp_path):
    search = make_search(space={"a": Range(0, 9)}, batch=7, trials=7)
    study = open_study(tmp_path, search)
    for value in (0, 1, 2, 3, 4, 5, 6):
        study.enqueue_trial({"a": value})
        study.ask({"a": Range(0, 9).distribute()})
    batch = propose(study, search)
    assert [trial.params["a"] for trial in batch] == list(range(7))
    launcher = Launcher(tmp_path)
    trials = Trials(search, tmp_path, None, Loader(), launcher)
    trials.launch(batch)
    trials.score(study, batch)
    assert launcher.calls == [(0, 3), (2, 1), (4, 3)], "3 does not compose, 2 dies alone"
    states = {job["job"]: (job["state"], job["reason"]) for job in gather_jobs(tmp_path)}
    assert states[3] == ("refused", "no such thing")
    assert states[2][0] == "failed" and states[2][1] == "its process died (RuntimeError)"
    assert [trial.state.name for trial in study.get_trials()] == [
        *["COMPLETE", "COMPLETE", "FAIL", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    ]
    assert study.best_trial.number == 6
    assert find_score(tmp_path, {"state": "finished", "run_dir": "4"}, "val/uar") == (None, "no val/uar")
    assert find_score(tmp_path, {"state": "finished", "run_dir": "none"}, "val/uar") == (None, "no val/uar")
    with pytest.raises(InputError, match="val/uarr: not measured"):
        find_score(tmp_path, {"state": "finished", "run_dir": "5"}, "val/uarr")
    assert json.loads((tmp_path / "3" / "job.json").read_text())["overrides"] == {"a": "3"}
    assert propose(study, search) == []
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def test_numbers_in_groups_without_gaps():
    assert list(group_neighbours([])) == []
    assert list(group_neighbours([3, 5, 6, 9])) == [[3], [5, 6], [9]]
