import pytest
from hydra.errors import HydraException

from ser.annotated import flatten, read_choice, read_document
from ser.choices import describe, list_groups
from ser.config import compose
from ser.errors import InputError, LeakError
from ser.paths import find_shipped


def test_a_configuration_from_python():
    config = compose(["head=svm", "head.tune=false", "seed=7", "dataset=emodb"])
    assert config.seed == 7 and config.head.seed == 7 and config.head.tune is False
    assert config.class_weight == "none" and "hydra" not in config
    assert {name: config.choices[name] for name in ("head", "dataset", "split")} == {
        "head": "svm", "dataset": "emodb", "split": "holdout",
    }  # fmt: skip
    assert not [name for name in config.choices if "/" in name or name.startswith("hydra")]


def test_heads_have_their_own_default_of_class_weight():
    assert compose(["head=linear"]).class_weight == "balanced"
    assert compose(["head=linear", "class_weight=none"]).class_weight == "none"


@pytest.mark.parametrize(
    ("target", "loss", "monitor"),
    [
        ("emotion", "cross_entropy", "val/uar"),
        ("one_vs_rest:anger", "cross_entropy", "val/uar"),
        ("[arousal,valence]", "ccc", "val/ccc"),
    ],
)
def test_the_target_chooses_loss_and_monitor_unless_they_are_chosen(target, loss, monitor):
    def find(*overrides):
        config = compose([f"dataset.target={target}", *overrides])
        return config.choices.loss, config.loss, config.trainer.early_stopping

    expected = compose([f"loss={loss}"]).loss
    assert find() == find("loss=auto") == find("trainer.early_stopping.monitor=auto")
    assert find()[:2] == (loss, expected) and find()[2].monitor == monitor and find()[2].mode == "max"
    for other in ("mse", "ccc", "cross_entropy", "soft_cross_entropy"):
        assert find(f"loss={other}")[:2] == (other, compose([f"loss={other}"]).loss)
    assert find("trainer.early_stopping.monitor=val/loss")[2].monitor == "val/loss"
    assert find("trainer.early_stopping=null")[2] is None


def test_a_key_of_the_cross_entropy_chooses_it():
    config = compose(["dataset.target=[arousal]", "loss.label_smoothing=0.1"])
    assert config.choices.loss == "cross_entropy" and config.loss.label_smoothing == 0.1
    assert compose(["loss.label_smoothing=0.1"]).loss.label_smoothing == 0.1


@pytest.mark.parametrize("override", ["head=svn", "sed=1", "head.tunee=false", "nothing=svm"])
def test_what_is_misspelt_is_refused(override):
    with pytest.raises(HydraException):
        compose([override])


def test_roots_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SER_DATA", "/corpora")
    monkeypatch.setenv("SER_OUTPUTS", "/results")
    config = compose(["dataset=emodb"])
    assert config.dataset.root == "/corpora/emodb"
    assert config.tracking.uri == "sqlite:////results/mlflow.db" and config.paths.cache == "/results/cache"


def test_every_choice_says_in_its_first_line_what_it_is():
    for path in find_shipped("conf").rglob("*.yaml"):
        assert len(describe(path)) >= 5, path


def test_every_group_says_what_it_is_for():
    assert [name for name, group in list_groups(nested=True).items() if len(group.purpose) < 10] == []


def test_every_key_has_a_comment_or_is_in_a_mapping_that_has_one():
    """Those of a class in another library, which has documented them, may do without."""
    bare = []
    for path in find_shipped("conf").rglob("*.yaml"):
        folders = path.relative_to(find_shipped("conf")).parts[:-1]
        if folders[:1] == ("hydra",):
            continue
        document = read_choice("/".join(folders), path.stem) if folders else read_document(path)
        said = {name: bool(setting.text) for name, setting in flatten(document.settings)}
        for name, setting in flatten(document.settings):
            parts = name.split(".")
            above = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
            plain = not setting.inside and not parts[-1].startswith("_") and parts[0] != "hydra"
            if plain and not any(said[each] for each in above):
                bare.append(f"{path}: {name}")
    assert bare == []


def test_an_error_says_problem_expectation_and_remedy():
    error = InputError("a=b: wrong", expected="c", remedy="pass a=c")
    assert str(error).splitlines() == ["a=b: wrong", "  expected: c", "  remedy:   pass a=c"]
    assert str(InputError("alone")) == "alone" and issubclass(LeakError, InputError)
