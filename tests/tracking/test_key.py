from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.config import compose
from ser.tracking.key import flatten, hash_run, select_effective
from ser.train import resolve


@pytest.fixture(scope="module")
def config():
    return resolve(compose(["dataset=emodb", "head=mlp", "backbone=mel_cnn"]))


@pytest.fixture(scope="module")
def svm():
    return resolve(compose(["dataset=emodb", "head=svm"]))


def change(config, path, value):
    config = deepcopy(config)
    *groups, name = path.split(".")
    place = config
    for group in groups:
        place = place[group]
    assert name in place, f"{path} is not a key"
    place[name] = value
    return config


def get_key(config, uses_trainer=True, **more):
    return hash_run(select_effective(config, uses_trainer), **{"data": "d", **more})


def test_a_key_is_sixteen_digits_and_repeats(config):
    key = get_key(config)
    assert len(key) == 16 and int(key, 16) >= 0
    assert get_key(deepcopy(config)) == key
    assert get_key(dict(reversed(config.items()))) == key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paths.outputs", "/elsewhere"), ("paths.cache", "/elsewhere"), ("tracking.uri", "sqlite:///x.db"),
        ("tracking.experiment", "other"), ("resume", False), ("report", False), ("dataset.root", "/elsewhere"),
        ("metrics.by", ["session"]), ("trainer.accelerator", "cpu"), ("trainer.devices", 2), ("trainer.num_workers", 4),
        ("choices", {}), ("head.class_weight", "none"), ("question", "Why?"),
    ],
)  # fmt: skip
def test_where_and_how_do_not_change_the_key(config, path, value):
    assert get_key(change(config, path, value)) == get_key(config)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 2), ("split.seed", 7), ("split.test_share", 0.5), ("dataset.emotions", ["anger"]),
        ("class_weight", "none"),
        ("backbone.width", 16), ("head.hidden", [32]), ("head.dropout", 0.1), ("audio.mono", "first"),
        ("trainer.max_epochs", 3), ("trainer.precision", "16-mixed"), ("trainer.batch_size", 4), ("optimizer.lr", 0.1),
        ("loss.label_smoothing", 0.1), ("trainer.early_stopping", None), ("dataset.name", "other"),
        ("on_bad_audio", "skip"),
    ],
)  # fmt: skip
def test_what_can_change_a_result_changes_the_key(config, path, value):
    assert get_key(change(config, path, value)) != get_key(config)


@pytest.mark.parametrize("path", ["trainer.max_epochs", "trainer.batch_size", "optimizer.lr", "loss.label_smoothing"])
def test_an_estimators_key_knows_nothing_of_training(svm, path):
    assert get_key(change(svm, path, 9), False) == get_key(svm, False)
    assert get_key(change(svm, path, 9), True) != get_key(svm, True)
    assert get_key(change(svm, "head.estimator.C", 9), False) != get_key(svm, False)


def test_class_weights_count_for_emotions_alone(config):
    dimensional = change(config, "dataset.target", ["arousal"])
    assert get_key(change(dimensional, "class_weight", "none")) == get_key(dimensional)
    assert "class_weight" in select_effective(config, True)
    assert "class_weight" not in select_effective(dimensional, True)


def test_what_auto_stands_for_is_part_of_the_key():
    def find(*overrides):
        return get_key(resolve(compose(["head=mlp", *overrides])))

    numbers = "dataset.target=[arousal]"
    assert find() == find("loss=cross_entropy", "trainer.early_stopping.monitor=val/uar")
    assert find(numbers) == find(numbers, "loss=ccc", "trainer.early_stopping.monitor=val/ccc")
    assert find(numbers) != find(numbers, "loss=mse") and find() != find("loss=soft_cross_entropy")


def test_data_split_and_extractor_are_part_of_the_key(config):
    others = [{}, {"data": "e"}, {"split": "w"}, {"extractor": {"version": "1"}}, {"extractor": {"version": "2"}}]
    assert len({get_key(config, **other) for other in others}) == len(others)


def test_a_minor_release_is_part_of_the_key_and_a_patch_is_not(config, monkeypatch):
    keys = {}
    for version in ("0.1.0", "0.1.7", "0.2.0", "1.1.0"):
        monkeypatch.setattr("ser.tracking.key.__version__", version)
        keys[version] = get_key(config)
    assert keys["0.1.0"] == keys["0.1.7"] and len(set(keys.values())) == 3


def test_selecting_leaves_the_configuration_alone(config):
    before = deepcopy(config)
    select_effective(config, False)
    assert config == before


def test_flatten():
    nested = {"head": {"C": 1, "grid": {}, "hidden": [1, 2]}, "seed": 3, "none": None}
    assert flatten(nested) == {"head.C": 1, "head.grid": {}, "head.hidden": [1, 2], "seed": 3, "none": None}


names = st.text("abc_", min_size=1, max_size=3)
trees = st.recursive(
    st.integers() | st.lists(st.integers()), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8
)


@given(tree=st.dictionaries(names, trees, max_size=4))
@settings(max_examples=40, deadline=None)
def test_flatten_loses_nothing(tree):
    rebuilt = {}
    for path, value in flatten(tree).items():
        *groups, name = path.split(".")
        place = rebuilt
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    assert rebuilt == tree
