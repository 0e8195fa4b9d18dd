"""Every YAML of conf/split composes, names its class, and has exactly the keys of the class."""

from dataclasses import fields
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from split_tables import list_folds

from ser.split import Fixed, FromFile, Holdout, KFold, LeaveOneGroupOut, Official

CONF = Path(__file__).parents[2] / "conf"
CLASSES = {
    "holdout": Holdout,
    "kfold": KFold,
    "logo": LeaveOneGroupOut,
    "loso": LeaveOneGroupOut,
    "leave_one_session_out": LeaveOneGroupOut,
    "official": Official,
    "fixed": Fixed,
    "file": FromFile,
}


def compose_split(folder, choice, *overrides):
    text = f"defaults:\n  - split: {choice}\n  - _self_\nhydra:\n  searchpath:\n    - file://{CONF}\n"
    (folder / "main.yaml").write_text(text, encoding="utf-8")
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose("main", overrides=list(overrides)).split


@pytest.mark.parametrize("choice", CLASSES)
def test_choices_compose(choice, tmp_path):
    config = compose_split(tmp_path, choice)
    splitter = instantiate(config)
    assert type(splitter) is CLASSES[choice]
    assert set(config) - {"_target_"} == {field.name for field in fields(splitter)}
    for field in fields(splitter):
        default = config[field.name]
        preset = choice == "leave_one_session_out" and field.name == "group"
        assert default == ("session" if preset else list_default(field.default))


def list_default(value):
    return list(value) if isinstance(value, tuple) else value


def test_all_choices_are_tested():
    assert {path.stem for path in (CONF / "split").glob("*.yaml")} == set(CLASSES)
    for path in (CONF / "split").glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# ")


def test_composed_keys_reach_the_split(tmp_path, emodb):
    keys = ["split.stratify=[emotion,gender]", "split.disjoint=[sentence]", "split.fold=7"]
    config = compose_split(tmp_path, "loso", *keys)
    split = instantiate(config).split(emodb, validation=True)
    expected = LeaveOneGroupOut(stratify=["emotion", "gender"], disjoint=["sentence"], fold=7).split(emodb, True)
    assert list_folds(split) == list_folds(expected)
    assert split.folds[0].name == "08/sentences-2"


def test_speakers_on_the_command_line(tmp_path, emodb):
    keys = ["split.train_speakers=[03,08,09,10,11,12]", "split.test_speakers=[13,14,15,16]"]
    config = compose_split(tmp_path, "fixed", *keys)
    fold = instantiate(config).split(emodb, validation=False).folds[0]
    assert sorted(set(emodb.frame["speaker"].iloc[fold.test])) == ["13", "14", "15", "16"]
    assert len(fold.train) + len(fold.test) == len(emodb)
