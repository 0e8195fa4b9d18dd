"""``ser study``: steps in order, each once; what fails, what is left out, what is made anew."""

import json

import pytest

from ser.study import choose_values, fill, list_studies, read_study, write_value
from ser.study_run import list_jobs, run_study

TINY = [
    "backbone=noise",
    "backbone.dim=4",
    "head=dummy",
    "dataset=planted_a2",
    "split=official",
    "dataset.utterances_per_speaker=4",
    "dataset.jobs=1",
    "dataset.speakers=${speakers}",
]


@pytest.fixture
def write_study(tmp_path):
    """Write a study of its own; returns the path of its file."""

    def write(steps, scales=None, title="# A study of tests"):
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        path = folder / "study.yaml"
        content = {"scales": scales or {"smoke": {"speakers": 4}, "full": {"speakers": 8}}, "steps": steps}
        path.write_text(f"{title}\n{json.dumps(content)}\n")
        return path

    return write


def step(name, *run):
    return {"name": name, "run": list(run)}


def read_record(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_steps_run_once_and_hand_on_what_they_leave(ser, write_study, runs):
    path = write_study(
        [
            step("train", "train", *TINY, "hydra.run.dir=${here}"),
            {"name": "check", "run": "data check dataset=csv dataset.path=${train.folder}/split.csv"},
            step("again", "train", *TINY, "seed=2", "+tracking.experiment=${train.run_id}"),
            step("list", "list", "split"),
        ]
    )
    said = ser("study", path)
    assert said.code == 1  # the split's table is no corpus, and ser data check says so
    folder = said.folder
    assert folder.name == "smoke" and folder.parent.name == "mine"
    states = {record["step"]: record["state"] for record in json.loads((folder / "study.json").read_text())["steps"]}
    assert states == {"train": "finished", "check": "failed", "again": "failed", "list": "finished"}
    train = read_record(folder, "train")
    assert train["folder"] == str(folder / "train") and train["code"] == 0
    assert train["run_id"] == json.loads((folder / "train" / "run.json").read_text())["run_id"] == runs()[0].info.run_id
    assert f"{folder / 'train'}/split.csv" in read_record(folder, "check")["command"][-1]
    assert read_record(folder, "again")["command"][-1].endswith(train["run_id"])
    assert "did not finish: check, again" in said.err and "exit code" in said.out
    second = ser("study", path)
    assert second.out.count("done before\n") == 2 and read_record(folder, "train") == train and len(runs()) == 1


def test_what_takes_the_results_of_a_failed_step_is_left_out_and_what_was_changed_is_made_anew(ser, write_study):
    steps = [
        step("first", "train", *TINY, "head=nonsense"),
        step("second", "explain", "run=${first.folder}"),
        step("third", "list", "${group}"),
        step("fourth", "list", "${third.folder}"),
    ]
    path = write_study(steps, {"one": {"speakers": 4, "group": "head"}})
    said = ser("study", f"name={path.parent}")
    folder = said.folder
    assert said.code == 1 and "it takes the results of first" in said.out and not (folder / "second.json").exists()
    assert "exit code 2" in said.out
    # Without a group the fourth lists all groups; it takes nothing but a folder that is not there.
    assert read_record(folder, "third")["folder"] == ""
    changed = ser("study", path, "group=split")
    assert "[3/4] third: ser list split" in changed.out and "[3/4] third: done before" not in changed.out
    assert ser("study", path, "group=split").out.count("done before") >= 1


def test_a_step_whose_folder_is_gone_runs_again_with_those_that_take_it(ser, write_study):
    import shutil

    steps = [
        step("train", "train", *TINY, "hydra.run.dir=${here}"),
        step("after", "list", "split", "${train.folder}"),
    ]
    path = write_study(steps)
    folder = ser("study", path).folder
    shutil.rmtree(folder / "train")
    said = ser("study", path)
    assert said.code == 0 and "done before" not in said.out and (folder / "train" / "metrics.json").is_file()


def test_a_killed_study_goes_on(ser, start_ser, kill_when, write_study, outputs):
    path = write_study(
        [
            step("short", "list", "head"),
            step("long", "train", *TINY, "dataset.utterances_per_speaker=64", "hydra.run.dir=${here}"),
        ]
    )
    folder = outputs / "studies" / "mine" / "smoke"
    process = start_ser("study", path)
    kill_when(process, lambda: list((outputs / "cache").glob("planted/*.building-*")) if outputs.exists() else False)
    assert (folder / "short.json").is_file() and not (folder / "long.json").exists()
    said = ser("study", path)
    assert said.code == 0 and said.out.count("done before\n") == 1 and (folder / "long" / "metrics.json").is_file()


def test_two_at_once_are_one_too_many(ser, write_study, tmp_path):
    from filelock import FileLock

    path, out = write_study([step("one", "list", "head")]), tmp_path / "out"
    out.mkdir()
    with FileLock(out / "study.lock"):
        said = ser("study", path, f"out={out}")
    assert said.code == 2 and "another process runs this study" in said.err
    assert ser("study", path, f"out={out}", "scale=full").folder == out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("steps: [", "not YAML"),
        ("runs: []", "has runs"),
        ("- 1", "has list"),
        ("steps: [{name: a}]", "name and run"),
        ("steps: [{name: a b, run: list}]", "step name 'a b'"),
        ("steps: [{name: a, run: list}, {name: a, run: list}]", "step name 'a'"),
        ("steps: [{name: study, run: list}]", "step name 'study'"),
        ("steps: [{name: a, run: ser list}]", "without ser"),
        ("steps: [{name: a, run: 'list ${b.folder}'}, {name: b, run: list}]", "b.folder"),
        ("steps: [{name: a, run: 'list ${paths.cache}'}]", r"\$\$\{…\}"),
        ("scales: {one: {x: 1}, two: {}}\nsteps: [{name: a, run: 'list ${x}'}]", r"\(scale two\)"),
        ("scales: {one: 3}\nsteps: [{name: a, run: list}]", "names with values"),
        ('steps: [{name: a, run: "list \'head"}]', "quotes closed"),
        ("scales: [one]\nsteps: [{name: a, run: list}]", "names with values"),
        ("scales: {one: {out: 3}}\nsteps: [{name: a, run: list}]", "value out"),
        ("scales: {one: {x: 1}}\nsteps: [{name: a, run: 'list a${*x}'}]", "a word of its own"),
        ("scales: {one: {x: 'a=${y}'}}\nsteps: [{name: a, run: 'list ${*x}'}]", r"\$\{y\} is unknown"),
    ],
)
def test_wrong_studies_say_what_is_wrong(ser, tmp_path, content, says):
    import re

    path = tmp_path / "study.yaml"
    path.write_text(content)
    said = ser("study", path)
    assert said.code == 2 and re.search(says, said.err), said.err


def test_wrong_commands_say_what_is_right(ser, write_study):
    path = write_study([step("one", "list", "head")])
    for arguments, says in (
        (["nothing"], "no such study"),
        (["plantd"], "did you mean 'planted'?"),
        ([path, "scale=big"], "smoke, full"),
        ([path, "scale=smok"], "did you mean 'smoke'?"),
        ([path, "speaker=9"], "did you mean 'speakers'?"),
        ([path, "two"], "expected: the name or path of one study"),
        (["scale=full"], "no name"),
        ([path, "launcher=seed=2"], "hydra/launcher="),
    ):
        said = ser("study", *arguments)
        assert said.code == 2 and says in said.err, said.err
    assert "usage: ser study" in ser("study").out and ser("study", "--help").code == 0


def test_sweeps_run_where_the_launcher_says_and_are_done_wherever_that_was(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr("ser.study_run.execute", lambda command: ran.append(command) or (0, ""))
    (tmp_path / "study.yaml").write_text(json.dumps({"steps": [step("one", "list"), step("two", "train", "-m")]}))
    study = read_study(tmp_path / "study.yaml")
    launcher = ["hydra/launcher=joblib"]
    assert [one.state for one in run_study(study, {}, tmp_path / "out", launcher)] == ["finished", "finished"]
    assert ran == [["list"], ["train", "-m", "hydra/launcher=joblib"]]
    assert [one.state for one in run_study(study, {}, tmp_path / "out")] == ["done before", "done before"]


def test_the_runs_of_a_sweep_are_those_that_finished(tmp_path):
    jobs = [{"run_dir": str(number), "state": state} for number, state in enumerate(("finished", "failed", "skipped"))]
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    assert list_jobs(str(tmp_path)) == f"{tmp_path}/0,{tmp_path}/2"
    assert list_jobs(str(tmp_path / "single")) == f"{tmp_path}/single" and list_jobs("") == ""


def test_values_in_commands():
    assert fill("a=${x} $${paths.cache} ${s.folder}", {"x": "1", "s.folder": "/f"}) == "a=1 ${paths.cache} /f"
    assert [write_value(value) for value in (1, 0.5, True, None, "a", ["a", 2])] == [
        "1",
        "0.5",
        "true",
        "null",
        "a",
        "a,2",
    ]


def test_studies_that_come_with_ser_are_listed_and_sound(ser):
    said = ser("study", "list")
    names = [path.parent.name for path in list_studies()]
    assert "planted" in names and all(f"{name}  (scales: " in said.out for name in names)
    for path in list_studies():
        study = read_study(path)
        assert study.title and {"smoke", "full"} <= set(study.scales)
        for scale in study.scales:
            assert choose_values(study, scale, {})[0] == scale
