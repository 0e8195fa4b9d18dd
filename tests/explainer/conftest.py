"""Finished runs on a small planted corpus, shared by tests of explainers of whole runs."""

import shutil

import pytest

from ser.config import compose
from ser.finished import FinishedRun

CORPUS = ["dataset=planted", "dataset.speakers=6", "dataset.utterances_per_speaker=12", "dataset.jobs=1"]
SPLIT = ["split=kfold", "split.folds=3", "trainer.max_epochs=1", "trainer.accelerator=cpu"]


@pytest.fixture(scope="session")
def probed_root(tmp_path_factory, created_together):
    folder = tmp_path_factory.mktemp("probed")
    shutil.copy(created_together[0], folder / "mlflow.db")
    return folder


@pytest.fixture(scope="session")
def make_run(probed_root):
    """Overrides to a finished run; each is made once."""
    from ser.train import train

    made = {}

    def make(*overrides):
        if overrides not in made:
            paths = [f"paths.outputs={probed_root}"]
            outcome = train(compose([*CORPUS, *SPLIT, *paths, *overrides]), probed_root / f"run-{len(made)}")
            made[overrides] = FinishedRun.open(outcome.key, compose(paths, "explain"))
        return made[overrides]

    return make
