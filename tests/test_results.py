import json
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ser.results import (
    OUTPUTS,
    copy_results,
    finish_folder,
    list_notes,
    owns,
    read_json,
    start_folder,
    write_json,
    write_results,
)
from ser.tracking.tracker import Tracker

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


def fill(folder, key=KEY, state="finished"):
    """A run's directory with something in it."""
    (folder / "checkpoints" / "fold-0").mkdir(parents=True)
    (folder / "checkpoints" / "fold-0" / "last.ckpt").write_text(key)
    for name in OUTPUTS[:-1]:
        (folder / name).write_text(f"{name} of {key}")
    write_json(folder / "run.json", {"key": key, "run_id": "run1", "state": state})
    return folder


def get_checkpoint(folder):
    path = folder / "checkpoints" / "fold-0" / "last.ckpt"
    return path.read_text() if path.is_file() else None


def test_a_fresh_directory(tmp_path):
    folder = tmp_path / "deep" / "run"
    start_folder(folder, KEY)
    assert read_json(folder / "run.json") == {"key": KEY, "state": "running"}
    assert owns(folder, KEY) and not owns(folder, OTHER) and not owns(tmp_path / "nowhere", KEY)


def test_results_and_checkpoints_of_another_run_go(tmp_path):
    folder = fill(tmp_path / "run", OTHER)
    (folder / "run.log").write_text("stays")
    start_folder(folder, KEY)
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "run.log"]


def test_checkpoints_of_a_killed_run_come_along(tmp_path):
    left, folder = fill(tmp_path / "left", state="running"), tmp_path / "run"
    start_folder(folder, KEY, str(left))
    assert get_checkpoint(folder) == KEY and get_checkpoint(left) is None
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints", "run.json"]


def test_checkpoints_of_a_killed_run_replace_those_of_another(tmp_path):
    left, folder = fill(tmp_path / "left", state="running"), fill(tmp_path / "run", OTHER)
    start_folder(folder, KEY, str(left))
    assert get_checkpoint(folder) == KEY


def test_a_run_killed_in_the_same_directory_keeps_its_checkpoints(tmp_path):
    folder = fill(tmp_path / "run", state="running")
    start_folder(folder, KEY, str(folder))
    assert get_checkpoint(folder) == KEY and not (folder / "metrics.json").exists()


def test_the_same_directory_by_another_spelling_keeps_its_checkpoints(tmp_path):
    folder = fill(tmp_path / "run", state="running")
    (tmp_path / "link").symlink_to(tmp_path)
    start_folder(folder, KEY, str(tmp_path / "link" / "run"))
    assert get_checkpoint(folder) == KEY


def test_checkpoints_of_a_directory_that_another_run_took_do_not_come(tmp_path):
    left, folder = fill(tmp_path / "left", OTHER, "running"), tmp_path / "run"
    start_folder(folder, KEY, str(left))
    assert get_checkpoint(folder) is None and get_checkpoint(left) == OTHER


@pytest.mark.parametrize("killed_in", ["", None, "/nowhere/at/all"])
def test_where_nothing_was_left_nothing_comes(tmp_path, killed_in):
    folder = fill(tmp_path / "run", OTHER)
    start_folder(folder, KEY, killed_in)
    assert get_checkpoint(folder) is None and owns(folder, KEY)


@pytest.fixture
def finished(tracking_uri, tmp_path):
    """A finished run, its directory, and the tracker it is known to."""
    tracker = Tracker(tracking_uri, "mine", str(tmp_path / "artifacts"))
    folder = fill(tmp_path / "first")
    run = tracker.start("a", {}, {"ser.key": KEY, "ser.run_dir": str(folder)})
    finish_folder(folder, KEY, run.run_id)
    run.log_folder(folder)
    run.end("finished")
    return tracker, tracker.find(KEY), folder


def test_results_of_a_finished_run_are_copied_without_checkpoints(finished, tmp_path):
    tracker, run, source = finished
    folder = fill(tmp_path / "second", OTHER)
    copy_results(tracker, run, folder, KEY)
    assert {path.name for path in folder.iterdir()} == set(OUTPUTS)
    for name in OUTPUTS:
        assert (folder / name).read_bytes() == (source / name).read_bytes()


def test_without_the_directory_they_come_from_the_artifacts(finished, tmp_path):
    tracker, run, source = finished
    expected = {name: (source / name).read_bytes() for name in OUTPUTS}
    source.rename(tmp_path / "moved")
    folder = tmp_path / "second"
    copy_results(tracker, run, folder, KEY)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected


def test_a_directory_that_another_run_took_is_not_copied(finished, tmp_path):
    tracker, run, source = finished
    expected = (source / "metrics.json").read_bytes()
    start_folder(source, OTHER)
    (source / "metrics.json").write_text("of another")
    copy_results(tracker, run, tmp_path / "second", KEY)
    assert (tmp_path / "second" / "metrics.json").read_bytes() == expected


def test_results_that_are_there_stay_as_they_are(finished):
    tracker, run, source = finished
    (source / "metrics.json").write_text("untouched")
    copy_results(tracker, run, source, KEY)
    assert (source / "metrics.json").read_text() == "untouched" and get_checkpoint(source) == KEY


def test_what_is_written(tmp_path):
    tables = {
        "predictions.parquet": pd.DataFrame({"clip": ["a", "b"], "p_anger": [0.5, None]}),
        "confusion.csv": pd.DataFrame([[1, 2]], index=pd.Index(["anger"], name="true"), columns=["anger", "fear"]),
        "split.csv": pd.DataFrame({"clip": ["a"], "fold": ["01"]}),
    }
    config = {"seed": 1, "head": {"C": 0.1, "names": ["ä", "b"]}}
    written = write_results(
        tmp_path, config, tables, {"notes.json": ["ä"]}, {"test/uar": 0.5, "test/uar_ci_low": math.nan}
    )
    assert written == {"test/uar": 0.5, "test/uar_ci_low": None} == json.loads((tmp_path / "metrics.json").read_text())
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == config
    assert pd.read_parquet(tmp_path / "predictions.parquet")["p_anger"].isna().tolist() == [False, True]
    assert (tmp_path / "confusion.csv").read_text() == "true,anger,fear\nanger,1,2\n"
    assert (tmp_path / "split.csv").read_text() == "clip,fold\na,01\n"
    assert read_json(tmp_path / "notes.json") == ["ä"]
    assert not (tmp_path / "run.json").exists()


def test_json_is_whole_or_not_there(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert read_json(tmp_path / "a.json") == {"x": 1} and read_json(tmp_path / "b.json") == {}
    assert [path.name for path in Path(tmp_path).iterdir()] == ["a.json"]


def test_notes_are_said_once():
    assert list_notes(["b", "a", "b"]) == ["b", "a"]
