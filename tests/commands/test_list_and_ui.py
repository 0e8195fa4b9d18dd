import sys

import pytest

from ser.cli import main
from ser.commands.ui import build_command, read_options
from ser.errors import InputError
from ser.paths import find_shipped


def test_list_shows_the_choices_of_a_group(capsys):
    assert main(["list", "backbone"]) == 0
    lines = capsys.readouterr().out.splitlines()
    choices = {line.split()[0]: line for line in lines}
    assert set(choices) == {path.stem for path in (find_shipped("conf") / "backbone").glob("*.yaml")}
    assert "88 openSMILE functionals" in choices["egemaps"] and "#" not in choices["egemaps"]


def test_list_alone_shows_what_each_group_is_for(capsys):
    assert main(["list"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {"dataset", "backbone", "head", "split", "trainer", "audio/trim"} <= set(lines)
    assert "hydra" not in lines and "split/shared" not in lines
    assert lines["head"] == (find_shipped("conf") / "head" / "README").read_text().strip()


def test_a_group_inside_a_group_has_choices_too(capsys):
    assert main(["list", "audio/trim"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"energy", "none", "vad"}


def test_list_of_an_unknown_group(capsys):
    assert main(["list", "backbon"]) == 2
    err = capsys.readouterr().err
    assert "no config group 'backbon'; did you mean backbone?" in err


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path / "outputs"))
    (tmp_path / "outputs").mkdir()
    return tmp_path / "outputs"


def test_ui_refuses_a_database_that_is_not_there(outputs, capsys):
    assert main(["ui"]) == 2
    err = capsys.readouterr().err
    assert f"sqlite:///{outputs}/mlflow.db: no such database" in err and "run `ser train` first" in err
    assert main(["ui", "tracking.uri=sqlite:///elsewhere.db"]) == 2
    assert list(outputs.iterdir()) == []


@pytest.mark.parametrize("argument", ["prt=1", "port", "port=", "--port=1"])
def test_ui_refuses_unknown_options(outputs, argument):
    with pytest.raises(InputError, match=r"(?s)is not an option.*tracking.uri=…, port=…, host=…"):
        read_options([argument])


def test_ui_serves_this_projects_database_on_this_machine_only(outputs):
    (outputs / "mlflow.db").touch()
    options = read_options(["port=5001"])
    command = build_command(options)
    assert command[:4] == [sys.executable, "-m", "mlflow", "ui"]
    pairs = dict(zip(command[4::2], command[5::2], strict=True))
    uri = f"sqlite:///{outputs}/mlflow.db"
    assert pairs == {"--backend-store-uri": uri, "--host": "127.0.0.1", "--port": "5001", "--workers": "1"}


def test_ui_takes_servers_as_they_are(outputs):
    assert read_options(["tracking.uri=http://127.0.0.1:1"])["tracking.uri"] == "http://127.0.0.1:1"
