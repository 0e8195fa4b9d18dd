"""Sweeps on Ray and on submitit: one parent, resume by key, a job that fails, the exit code."""

import json
from importlib.util import find_spec

import pytest

KEYS = ["backbone=noise", "backbone.dim=8", "head=svm", "head.tune=false", "report=false"]
pytestmark = pytest.mark.filterwarnings(r"ignore:\s*'hydra/launcher")
GRID = ["head.estimator.C=1,-1"]  # the second fails


def needs(package):
    missing = find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{package}") is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"], marks=needs("hydra_ray_launcher")),
        pytest.param(["hydra/launcher=submitit_local"], marks=needs("hydra_submitit_launcher")),
    ],
    ids=["ray", "submitit_local"],
)
def test_a_sweep_with_a_job_that_fails(launcher, start_ser, ser, runs, tones, outputs):
    """Ray's cluster begins and ends with the command."""
    folder = outputs / "sweep"
    command = ["train", "-m", *tones.overrides, *KEYS, *GRID, f"hydra.sweep.dir={folder}"]
    said = start_ser(*command, *launcher).said()
    assert said.code == 1, said.err
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["finished", "failed"] and "InvalidParameterError" in jobs[1]["reason"]
    assert "1 of 2 jobs did not finish" in said.err and said.folder == folder
    assert "ConfigStore schema" not in said.err + "".join(path.read_text() for path in folder.glob(".submitit/*/*.out"))
    (parent,) = runs("sweep")
    assert parent.info.status == "FAILED" and len(runs()) == 2
    assert {run.data.tags["mlflow.parentRunId"] for run in runs()} == {parent.info.run_id}
    assert "test UAR" in (folder / "0" / "run.log").read_text()

    again = ser(*command)  # under another launcher, the same runs
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert again.code == 1 and [job["state"] for job in jobs] == ["skipped", "failed"]
    assert len(runs("sweep")) == 1


@needs("hydra_submitit_launcher")
def test_the_preset_of_slurm_makes_a_job_script(outputs, tmp_path, monkeypatch):
    from hydra import compose, initialize_config_dir
    from hydra.core.plugins import Plugins
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from omegaconf import OmegaConf
    from submitit import AutoExecutor

    from ser.paths import find_shipped

    keys = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "hydra.launcher.gres='gpu:1'"]
    with initialize_config_dir(str(find_shipped("conf")), version_base="1.3", job_name="train"):
        config = compose("train", overrides=keys, return_hydra_config=True)
        folder = str(config.hydra.sweep.dir)
        params = Plugins.instance()._instantiate(config.hydra.launcher).params
    assert params.pop("submitit_folder").startswith(folder)
    assert params.pop("max_num_timeout") == 5

    (tmp_path / "srun").touch(mode=0o755)  # submitit looks for it
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    executor = AutoExecutor(folder=tmp_path / "logs", cluster="slurm")
    common = set(OmegaConf.structured(BaseQueueConf).keys())
    executor.update_parameters(**{name if name in common else f"slurm_{name}": params[name] for name in params})
    script = executor._executor._make_submission_file_text("run", "1")
    for line in ("partition=gpu", "gres=gpu:1", "cpus-per-task=4", "time=1440", "mem=16GB", "job-name=train"):
        assert f"#SBATCH --{line}" in script
    assert "export OMP_NUM_THREADS=4" in script


@pytest.mark.parametrize(
    ("launcher", "extra"), [("ray", "ray"), ("submitit_local", "slurm"), ("submitit_slurm", "slurm")]
)
def test_a_launcher_that_is_not_installed_names_its_extra(launcher, extra, ser, runs, tones, monkeypatch):
    monkeypatch.setattr("ser.launchers.find_spec", lambda _: None)
    said = ser("train", "-m", *tones.overrides, *KEYS, *GRID, f"hydra/launcher={launcher}")
    assert said.code == 2 and f"pip install 'ser[{extra}]'" in said.err and "Traceback" not in said.err
    assert runs() == [] and runs("sweep") == []
