import json
import subprocess
import sys

import pytest

from ser import __version__
from ser.cli import COMMANDS, main
from ser.errors import InputError


def run(capsys, *arguments):
    code = main(list(arguments))
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err
    return code, output.out, output.err


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder of its own, so that nothing a command writes lands in the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["ser"])
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(capsys, arguments):
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    for name, (_, text) in COMMANDS.items():
        assert name in out and text in out
    assert "exit codes" in out and __version__ in out


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"ser {__version__}\n", "")


def test_an_unknown_command_gets_a_suggestion(capsys):
    code, out, err = run(capsys, "trian")
    assert code == 2 and not out and "did you mean 'train'?" in err
    code, _, err = run(capsys, "xyz")
    assert code == 2 and "did you mean" not in err and "expected: train" in err


@pytest.mark.parametrize("command", ["list", "ui", "doctor", "show", "completion"])
def test_every_small_command_has_help(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0 and out.startswith(f"usage: ser {command}")


def test_an_input_error_is_printed_without_a_traceback(capsys, monkeypatch):
    def fail(_):
        raise InputError("x=1: wrong", remedy="pass x=2")

    monkeypatch.setattr("ser.commands.list.main", fail)
    assert run(capsys, "list") == (2, "", "ser list: x=1: wrong\n  remedy:   pass x=2\n")


def test_an_interruption_says_that_work_goes_on(capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ser.commands.list.main", interrupt)
    code, _, err = run(capsys, "list")
    assert code == 130 and "goes on where it stopped" in err


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["head=svn"], ["svn", "svm"]),
        (["heads=svm"], ["heads"]),
        (["head=svm", "head.tunee=false"], ["tunee"]),
        (["=x"], []),
        (["class_weight=heavy"], ["class_weight=heavy", "none or balanced"]),
        (["head=knn", "class_weight=balanced"], ["no class weights"]),
        (["backbone=mel_cnn", "head=svm"], ["cannot train the backbone MelCNN"]),
        (["tracking.uri=mlruns"], ["tracking.uri=mlruns", "plain folders"]),
    ],
    ids=str,
)
def test_mistakes_in_a_command_exit_with_two_and_a_remedy(capsys, elsewhere, overrides, words):
    code, _, err = run(capsys, "train", *overrides)
    assert code == 2
    assert all(word in err for word in words), err
    assert ("remedy" in err or "expected" in err) and len(err.splitlines()) < 40


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["list"],
        ["--help"],
        ["train", "--help"],
        ["show", "head=mlp"],
        ["completion", "ask", "ser train head=mlp head."],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments, tmp_path):
    script = (
        "import json, sys\n"
        "from ser.cli import main\n"
        "loaded = set(sys.modules)\n"
        f"arguments = {arguments!r}\n"
        "arguments == ['train'] or main(arguments)\n"
        "print()\n"
        "print(json.dumps(sorted(set(sys.modules))))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = {name.partition(".")[0] for name in json.loads(found.stdout.splitlines()[-1])}
    assert not loaded & {
        "hydra",
        "omegaconf",
        "torch",
        "mlflow",
        "pandas",
        "numpy",
        "sklearn",
        "pytorch_lightning",
        "matplotlib",
    }


def test_the_stage_on_estimators_imports_no_network_library():
    script = (
        "import json, sys\n"
        "import ser.train, ser.launch, ser.head.estimators, ser.backbone.functionals\n"
        "print(json.dumps(sorted(set(sys.modules))))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(found.stdout)}
    assert not loaded & {"torch", "torchaudio", "pytorch_lightning", "matplotlib"}
