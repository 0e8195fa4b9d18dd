import pytest

from ser.choices import describe, find_choice, find_group, find_nearest, list_choices, list_groups, refuse
from ser.errors import InputError
from ser.paths import find_own, find_shipped, list_conf


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A working folder with a configuration of its own: a backbone, and another mlp."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"backbone/mine.yaml": "# Mine\n{}\n", "head/mlp.yaml": "# My own\n{}\n"}.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path / "conf"


def test_a_conf_where_one_is_joins_and_wins(own):
    assert find_own() == own and list_conf() == [own, find_shipped("conf")]
    choices = list_choices(find_group("backbone"))
    assert choices["mine"] == "Mine" and "egemaps" in choices
    assert list_choices(find_group("head"))["mlp"] == "My own"
    assert find_choice("head", "mlp") == own / "head" / "mlp.yaml"
    assert find_choice("head", "svm") == find_shipped("conf") / "head" / "svm.yaml"
    assert find_group("head").purpose, "the shipped one says what the group is for"


def test_the_shipped_folder_is_not_ones_own(monkeypatch):
    monkeypatch.chdir(find_shipped("conf").parent)
    assert find_own() is None and list_conf() == [find_shipped("conf")]


def test_fragments_are_no_choices_and_hydras_groups_are_not_ours():
    groups = list_groups(nested=True)
    assert "split/shared" not in groups and "hydra" not in groups and "hydra/launcher" in groups
    assert "audio/trim" in groups and "audio/trim" not in list_groups()
    assert "keys" not in list_choices(groups["split"])


def test_what_a_yaml_is_may_stand_below_a_line_for_hydra(tmp_path):
    path = tmp_path / "x.yaml"
    for text, expected in (("# @package _global_\n# What\na: 1\n", "What"), ("# What\n", "What"), ("a: 1\n", "")):
        path.write_text(text)
        assert describe(path) == expected


@pytest.mark.parametrize(
    ("wrong", "known", "expected"),
    [
        ("egemap", ["egemaps", "mel_cnn"], ["egemaps"]),
        ("svn", ["svm", "svr", "mlp"], ["svr", "svm"]),
        ("xyz", ["svm", "mlp"], []),
        ("hed", ["head", "head"], ["head"]),
    ],
)
def test_the_nearest_names(wrong, known, expected):
    assert find_nearest(wrong, known) == expected


def test_a_refusal_names_the_nearest_first_then_all():
    lines = str(refuse("head=mpl: no such choice", "mpl", ["mlp", "svm"], "look")).splitlines()
    assert lines == ["head=mpl: no such choice; did you mean mlp?", "  expected: mlp, svm", "  remedy:   look"]
    for group, name in (("head", "mpl"), ("heads", "mlp")):
        with pytest.raises(InputError, match=r"did you mean (mlp|head)\?"):
            find_choice(group, name)
