"""Sweeps: killed and started again, with jobs that fail, in parallel on a fresh database, with frozen choices."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

GRID = ["head=logreg,ridge,svm,dummy", "seed=1,2,3", "head.tune=false"]
NOISE = ["backbone=noise", "backbone.dim=8"]
#: Every fit takes its time, as real ones do.
SLOW = """
import sys, time
from ser.head.estimators import EstimatorHead
fit = EstimatorHead.fit
EstimatorHead.fit = lambda self, *a: (time.sleep(0.4), fit(self, *a))[1]
from ser.cli import main
sys.exit(main(sys.argv[1:]))
"""


def read(path):
    return json.loads(path.read_text())


def states(folder):
    return [job["state"] for job in read(folder / "sweep.json")["jobs"]]


def test_a_killed_sweep_goes_on(start_ser, kill_when, ser, runs, tones, outputs):
    command = ["train", "-m", *tones.overrides, *NOISE, *GRID]
    process = start_ser(*command, code=SLOW)
    kill_when(process, lambda: len(list(outputs.glob("sweeps/*/*/job.json"))) >= 5)
    (killed,) = (outputs / "sweeps").iterdir()
    before = {run.info.run_id: run for run in runs()}
    done = {key for key, run in before.items() if run.data.tags["ser.state"] == "finished"}
    assert 5 <= len(done) < 12 and len(before) - len(done) <= 1
    (parent,) = runs("sweep")

    said = ser(*command)
    assert said.code == 0, said.err
    folder = said.folder
    assert folder != killed
    record = read(folder / "sweep.json")
    assert [job["job"] for job in record["jobs"]] == list(range(12))
    assert Counter(states(folder)) == {"skipped": len(done), "finished": 12 - len(done)}
    assert {job["run_id"] for job in record["jobs"] if job["state"] == "skipped"} == done
    assert record["varied"] == ["head", "seed"] and record["parent_run_id"] == parent.info.run_id

    after = {run.info.run_id: run for run in runs()}
    assert set(before) <= set(after), "the job that was killed goes on as the run it was"
    assert len(after) == 12 and len({run.data.tags["ser.key"] for run in after.values()}) == 12
    assert {run.data.tags["ser.state"] for run in after.values()} == {"finished"}
    assert all(after[key].info.end_time == before[key].info.end_time for key in done), "not trained twice"
    (parent,) = runs("sweep")
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in after.values()} == {parent.info.run_id}

    for job in record["jobs"]:
        scores = read(folder / job["run_dir"] / "metrics.json")
        assert 0 <= scores["test/uar"] <= 1
        assert read(folder / job["run_dir"] / "run.json")["run_id"] == job["run_id"]
    assert said.out.count("skipped") >= len(done) and "UAR" in said.out
    page = (folder / "report.html").read_text()
    assert "logreg" in page and len(page) > 10_000


def test_overrides_inside_a_swept_group(ser, tones, runs):
    keys = ["head=svm,ridge", "head.tune=false", "report=false"]
    said = ser("train", "-m", *tones.overrides, *NOISE, *keys)
    assert said.code == 0, said.err
    found = {run.data.params["head"]: run for run in runs()}
    assert set(found) == {"svm", "ridge"}
    assert {run.data.params["head.tune"] for run in found.values()} == {"False"}
    assert found["svm"].info.run_name == "head=svm", "names say what varied"
    assert not (said.folder / "report.html").exists()


def test_failed_jobs_do_not_stop_the_others_and_are_repeated(ser, runs, tones, outputs, monkeypatch):
    from sklearn.svm import SVC

    folder = outputs / "sweep"
    command = [
        *["train", "-m", *tones.overrides, *NOISE, "head=svm", "head.tune=false"],
        *["head.estimator.C=1,2,3", "report=false", f"hydra.sweep.dir={folder}"],
    ]
    fit = SVC.fit

    def break_down(self, *data):
        if self.C == 2:
            raise ArithmeticError("out of luck")
        return fit(self, *data)

    with monkeypatch.context() as patch:
        patch.setattr(SVC, "fit", break_down)
        said = ser(*command)
    assert said.code == 1
    assert states(folder) == ["finished", "failed", "finished"]
    assert read(folder / "sweep.json")["jobs"][1]["reason"] == "ArithmeticError: out of luck"
    assert "failed" in said.out and "out of luck" in said.out and "1 of 3 jobs" in said.err
    assert Counter(run.data.tags["ser.state"] for run in runs()) == {"finished": 2, "failed": 1}
    assert [run.info.status for run in runs("sweep")] == ["FAILED"]

    said = ser(*command)
    assert said.code == 0, said.err
    assert states(folder) == ["skipped", "finished", "skipped"]
    finished = [run for run in runs() if run.data.tags["ser.state"] == "finished"]
    assert len(finished) == len({run.data.tags["ser.key"] for run in finished}) == 3
    assert [run.info.status for run in runs("sweep")] == ["FINISHED"]
    assert read(folder / "sweep.json")["jobs"][1]["reason"] is None


def test_refused_jobs_do_not_stop_the_others(ser, runs, tones):
    keys = ["backbone=mel_cnn,noise", "head=svm,dummy", "head.tune=false", "report=false"]
    said = ser("train", "-m", *tones.overrides, *keys)
    assert said.code == 1 and "Traceback" not in said.err
    assert states(said.folder) == ["refused", "refused", "finished", "finished"]
    reasons = [job["reason"] for job in read(said.folder / "sweep.json")["jobs"]]
    assert "cannot train the backbone MelCNN" in reasons[0] and "head=linear" in reasons[0]
    assert reasons[2:] == [None, None]
    table = [line.split() for line in said.out.splitlines()]
    assert sum("refused:" in words for words in table) == 2 and "2 of 4 jobs" in said.err
    assert len(runs()) == 2


def test_wrong_choices_end_a_sweep_before_it_begins(ser, runs, tones):
    said = ser("train", "-m", *tones.overrides, *NOISE, "head=svm,nonsense", "seed=1,2")
    assert said.code == 2 and "nonsense" in said.err and "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 40


def test_two_jobs_at_a_time_on_a_fresh_database(start_ser, runs, tones, outputs):
    (outputs / "mlflow.db").unlink()
    keys = ["head=logreg,ridge", "head.tune=false", "seed=1,2,3", "report=false"]
    parallel = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    said = start_ser("train", "-m", *tones.overrides, *NOISE, *keys, *parallel).said()
    assert said.code == 0, said.err
    assert states(said.folder) == ["finished"] * 6
    (parent,) = runs("sweep")
    found = runs()
    assert len(found) == len({run.data.tags["ser.key"] for run in found}) == 6
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}
    assert {run.info.status for run in [*found, parent]} == {"FINISHED"}
    assert {run.info.experiment_id for run in found} == {parent.info.experiment_id}
    for run in found:
        assert run.data.params["head"] and 0 <= run.data.metrics["test/uar"] <= 1
    record = read(said.folder / "sweep.json")
    assert {job["run_id"] for job in record["jobs"]} == {run.info.run_id for run in found}


def test_edits_after_the_launch_do_not_reach_queued_jobs(ser, tones, outputs, tmp_path, monkeypatch):
    from ser.commands import train as command
    from ser.paths import find_shipped
    from ser.train import train

    conf = tmp_path / "conf"
    shutil.copytree(find_shipped("conf"), conf)
    monkeypatch.setattr("ser.launch.find_shipped", lambda _: conf)
    seen = []

    def edit(config, folder, labels, parent):
        seen.append((config.backbone.dim, config.head.estimator.C))
        for name in ("backbone/noise.yaml", "head/svm.yaml"):
            content = yaml.safe_load((conf / name).read_text())
            content.update({"dim": 99}) if "noise" in name else content["estimator"].update({"C": 99.0})
            (conf / name).write_text(yaml.safe_dump(content))
        return train(config, folder, labels, parent)

    monkeypatch.setattr(command, "train", edit)
    keys = ["backbone=noise", "head=svm", "head.tune=false", "seed=1,2,3", "report=false"]
    said = ser("train", "-m", *tones.overrides, *keys)
    assert said.code == 0, said.err
    assert seen == [(88, 1.0)] * 3
    # A new launch sees the edit.
    seen.clear()
    assert ser("train", "-m", *tones.overrides, *keys).code == 0
    assert seen == [(99, 99.0)] * 3


def test_a_report_that_cannot_be_drawn_hides_no_failure(ser, runs, tones, monkeypatch):
    monkeypatch.setattr("ser.report.write_report", lambda _: 1 / 0)
    command = ["train", "-m", *tones.overrides, *NOISE, "head=svm", "head.tune=false"]
    said = ser(*command, "head.estimator.C=1,-1")
    assert said.code == 1
    (folder,) = (path.parent for path in Path(runs("sweep")[0].data.tags["ser.run_dir"]).glob("sweep.json"))
    assert states(folder) == ["finished", "failed"] and "C" in read(folder / "sweep.json")["jobs"][1]["reason"]


@pytest.mark.parametrize("keys", [["seed=1,2"], ["head.estimator.C=1,10", "seed=1"]])
def test_the_same_sweep_in_any_order_is_one_parent(keys, ser, tones, runs):
    command = [*tones.overrides, *NOISE, "head=svm", "head.tune=false", "report=false"]
    assert ser("train", "-m", *command, *keys).code == 0
    assert ser("train", "-m", *reversed([*command, *keys])).code == 0
    assert len(runs("sweep")) == 1 and len(runs()) == 2
