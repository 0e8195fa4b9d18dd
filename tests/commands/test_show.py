import pytest

from ser.cli import main
from ser.config import compose
from ser.paths import find_shipped


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_choice_is_shown_with_its_comments_and_inherited_keys(here, capsys):
    assert main(["show", "head=kumar_dense"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("# The dense layers of Kumar") and "hidden: [340, 470, 600]  # their network" in said
    assert "scale: true  # z-score" in said and "defaults" not in said
    assert main(["show", "audio/trim=vad"]) == 0
    assert capsys.readouterr().out == (find_shipped("conf") / "audio" / "trim" / "vad.yaml").read_text()
    assert not list(here.iterdir())


def test_a_saved_choice_wins_where_it_lies(here, capsys):
    assert main(["show", "head=mlp", "--save"]) == 0
    assert capsys.readouterr().out.startswith("conf/head/mlp.yaml")
    path = here / "conf" / "head" / "mlp.yaml"
    assert compose(["head=mlp"]).head.hidden == [64]
    path.write_text(path.read_text().replace("hidden: [64]", "hidden: [7]"))
    assert compose(["head=mlp"]).head.hidden == [7] and compose(["head=linear"]).head.hidden == []
    assert main(["show", "head=mlp", "--save"]) == 2
    assert "it is there already" in capsys.readouterr().err and "[7]" in path.read_text()


def test_a_choice_can_be_saved_under_another_name(here, capsys):
    assert main(["show", "backbone=noise", "--save=louder"]) == 0
    assert compose(["backbone=louder"]).backbone.dim == compose(["backbone=noise"]).backbone.dim
    assert main(["list", "backbone"]) == 0
    assert "louder" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["head=mpl"], ["head=mpl: no such choice; did you mean mlp?"]),
        (["heads=mlp"], ["no config group 'heads'; did you mean head?"]),
        (["head"], ["which head?", "ser list head"]),
        (["head=mlp", "--sav"], ["'--sav'", "--save"]),
        (["head=mlp", "loss=mse"], ["one <group>=<choice>"]),
    ],
)
def test_mistakes(arguments, words, here, capsys):
    assert main(["show", *arguments]) == 2
    err = capsys.readouterr().err
    assert all(word in err for word in words), err
    assert not list(here.iterdir())


def test_without_anything_it_says_what_it_takes(capsys):
    for arguments in (["show"], ["show", "--help"]):
        assert main(arguments) == 0 and capsys.readouterr().out.startswith("usage: ser show")
