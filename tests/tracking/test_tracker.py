import os
import socket
import tempfile
from pathlib import Path

import pytest

from ser.errors import InputError
from ser.tracking.tracker import LONGEST_VALUE, Tracker, fit_value

TAGS = {"ser.key": "0123456789abcdef", "ser.version": "0.1.0"}


@pytest.fixture
def tracker(tracking_uri, tmp_path):
    return Tracker(tracking_uri, "mine", str(tmp_path / "artifacts"))


def read(tracker, run):
    return tracker.connect().get_run(run.run_id)


def refuse(uri, experiment="mine"):
    with pytest.raises(InputError) as error:
        Tracker(uri, experiment).connect()
    message = str(error.value)
    assert f"tracking.uri={uri}" in message and "remedy" in message
    return message


def test_a_run_from_beginning_to_end(tracker):
    run = tracker.start("svm seed=1", {"head.C": 1, "dataset.emotions": ["anger"]}, TAGS)
    begun = read(tracker, run)
    assert begun.info.status == "RUNNING" and begun.data.tags["ser.state"] == "running"
    assert begun.info.run_name == "svm seed=1" and begun.data.tags["ser.key"] == TAGS["ser.key"]
    assert begun.data.params == {"head.C": "1", "dataset.emotions": "['anger']"}
    run.log_metrics({"test/uar": 0.75, "test/uar_ci_low": float("nan"), "test/wa": None})
    run.end("finished", {"note": "fine"})
    ended = read(tracker, run)
    assert ended.info.status == "FINISHED" and ended.info.end_time
    assert ended.data.tags["ser.state"] == "finished" and ended.data.tags["note"] == "fine"
    assert ended.data.metrics == {"test/uar": 0.75}


def test_a_failed_run(tracker):
    run = tracker.start("a", {}, TAGS)
    run.end("failed")
    assert read(tracker, run).info.status == "FAILED" and read(tracker, run).data.tags["ser.state"] == "failed"


def test_metrics_of_epochs(tracker):
    run = tracker.start("a", {}, TAGS)
    for epoch in range(3):
        run.log_metrics({"val/uar": 0.1 * epoch}, epoch)
    history = tracker.connect().get_metric_history(run.run_id, "val/uar")
    assert [(item.step, round(item.value, 3)) for item in history] == [(0, 0), (1, 0.1), (2, 0.2)]


def test_more_than_a_request_holds(tracker):
    params = {f"p{index}": index for index in range(250)}
    run = tracker.start("a", params, {**TAGS, **{f"t{index}": "x" for index in range(120)}})
    run.log_metrics({f"m{index}": index for index in range(1100)})
    data = read(tracker, run).data
    assert len(data.params) == 250 and len(data.metrics) == 1100
    assert sum(name.startswith("t") for name in data.tags) == 120 and data.tags["ser.state"] == "running"


def test_a_long_value_is_cut_in_words(tracker, caplog):
    run = tracker.start("a", {"long": "x" * 9000, "short": "y" * LONGEST_VALUE}, TAGS)
    params = read(tracker, run).data.params
    assert len(params["long"]) <= LONGEST_VALUE and params["long"].startswith("xxx")
    assert params["long"].endswith("… (9000 characters, whole in config.yaml)")
    assert params["short"] == "y" * LONGEST_VALUE
    assert "parameter long has 9000 characters" in caplog.text and "short" not in caplog.text


@pytest.mark.parametrize("value", [None, True, 1.5, [1, 2], {}, "", "ä" * 7000])
def test_any_value_fits(value):
    assert len(fit_value("key", value)) <= LONGEST_VALUE


def test_nothing_is_found_before_there_is_anything(tracker):
    assert tracker.find("0123456789abcdef") is None


def test_the_finished_run_is_found_else_the_newest(tracker):
    first = tracker.start("first", {}, TAGS)
    first.end("failed")
    assert tracker.find(TAGS["ser.key"]).info.run_id == first.run_id
    second = tracker.start("second", {}, TAGS)
    assert tracker.find(TAGS["ser.key"]).info.run_id == second.run_id
    first.end("finished")
    assert tracker.find(TAGS["ser.key"]).info.run_id == first.run_id
    tracker.start("other", {}, {**TAGS, "ser.key": "ffffffffffffffff"}).end("finished")
    assert tracker.find(TAGS["ser.key"]).info.run_id == first.run_id


def test_runs_of_other_experiments_are_none_of_its_business(tracker, tracking_uri):
    other = Tracker(tracking_uri, "other")
    other.start("a", {}, TAGS).end("finished")
    assert tracker.find(TAGS["ser.key"]) is None and other.find(TAGS["ser.key"]) is not None


def test_a_killed_run_is_taken_up_under_its_own_id(tracker, tracking_uri, tmp_path):
    killed = tracker.start("a", {"seed": 1}, TAGS)
    killed.log_metrics({"val/uar": 0.5}, 0)
    again = Tracker(tracking_uri, "mine")  # another process
    resumed = again.start("a", {"seed": 1}, {**TAGS, "ser.run_dir": "elsewhere"}, again.find(TAGS["ser.key"]))
    assert resumed.run_id == killed.run_id
    data = read(tracker, resumed).data
    assert data.params == {"seed": "1"} and data.metrics == {"val/uar": 0.5} and data.tags["ser.run_dir"] == "elsewhere"
    resumed.end("failed")
    assert again.start("a", {"seed": 1}, TAGS, again.find(TAGS["ser.key"])).run_id == killed.run_id
    assert read(tracker, killed).info.status == "RUNNING" and read(tracker, killed).data.tags["ser.state"] == "running"


def test_a_folder_becomes_artifacts_where_they_were_asked_for(tracker, tmp_path):
    (tmp_path / "run" / "figures").mkdir(parents=True)
    (tmp_path / "run" / "metrics.json").write_text("{}")
    (tmp_path / "run" / "figures" / "a.png").write_bytes(b"x")
    run = tracker.start("a", {}, TAGS)
    run.log_folder(tmp_path / "run")
    paths = [item.path for item in tracker.connect().list_artifacts(run.run_id)]
    assert sorted(paths) == ["figures", "metrics.json"]
    assert list((tmp_path / "artifacts").rglob("metrics.json"))


def test_an_experiment_is_made_once(tracker, tracking_uri):
    tracker.connect()
    again = Tracker(tracking_uri, "mine")
    again.connect()
    assert again._experiment_id == tracker._experiment_id


def test_a_deleted_experiment_is_told(tracker, tracking_uri):
    tracker.connect().delete_experiment(tracker._experiment_id)
    with pytest.raises(InputError, match=r"(?s)tracking.experiment=mine: the experiment was deleted.*remedy"):
        Tracker(tracking_uri, "mine").connect()


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "mlruns", "./mlruns", "/tmp/mlruns"])
def test_plain_folders_are_refused(uri):
    assert "plain folders" in refuse(uri)


def test_a_dead_address_is_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert "no MLflow server answers" in refuse(uri)


@pytest.mark.parametrize("uri", ["http://", "http://127.0.0.1:99999", "https:///nothing"])
def test_an_address_that_is_none_is_refused(uri):
    refuse(uri)


@pytest.mark.parametrize("uri", ["nosuchscheme://x", "sqlite:/one-slash.db", "postgresql://"])
def test_an_address_that_mlflow_does_not_know_is_refused(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(uri)


def test_a_database_inside_a_file_is_refused(tmp_path):
    (tmp_path / "file.txt").touch()
    assert "not a folder one can write to" in refuse(f"sqlite:///{tmp_path}/file.txt/deeper/mlflow.db")


@pytest.mark.parametrize(("mode", "below"), [(0o555, ""), (0o555, "deeper"), (0o000, "deeper")])
def test_a_folder_without_the_right_to_write_is_refused(mode, below):
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        closed = Path(top) / "closed"
        closed.mkdir()
        closed.chmod(mode)
        found = check_without_rights(f"sqlite:///{closed / below}/mlflow.db")
        closed.chmod(0o755)
    assert found.startswith("InputError: tracking.uri=sqlite:///") and "one can write to" in found


def check_without_rights(uri):
    """What the check says to a user who is not root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            Tracker(uri)._check_uri()
            os.write(writer, b"nothing was raised")
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        return file.read()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database, it is a text of some length\n" * 100)
    message = refuse(f"sqlite:///{tmp_path}/mlflow.db")
    assert "cannot open it" in message and "mlflow db upgrade" in message
    assert (tmp_path / "mlflow.db").read_bytes().startswith(b"this is not"), "the file was changed"


def test_two_processes_creating_one_experiment_in_a_fresh_database(created_together):
    _, codes, outputs = created_together
    assert codes == [0, 0], outputs
    assert len({out.split()[-1] for out, _ in outputs}) == 1
