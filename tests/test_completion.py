import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ser.cli import COMMANDS, main
from ser.completion import SHELLS, complete, read_script


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ser tr", ["train"]),
        ("ser train head=li", ["head=linear"]),
        ("ser train head=svm,lin", ["head=svm,linear"]),
        ("ser train -m head=svm,l", ["head=svm,linear", "head=svm,logreg"]),
        ("ser train hea", ["head=", "head."]),
        ("ser train audio/tr", ["audio/trim="]),
        ("ser train audio/trim=e", ["audio/trim=energy"]),
        ("ser train audio/trim=energy audio.trim.th", ["audio.trim.threshold="]),
        ("ser train trainer.max", ["trainer.max_epochs="]),
        ("ser train trainer.early_stopping.mo", ["trainer.early_stopping.monitor=", "trainer.early_stopping.mode="]),
        ("ser train head=svm head.tune=", ["head.tune=true", "head.tune=false"]),
        ("ser train head=svm head.estimator.ga", ["head.estimator.gamma="]),
        ("ser train se", ["seed="]),
        ("ser train data.fraction_", ["data.fraction_seed="]),
        ("ser train ~augm", ["~augmentation=", "~augmentation."]),
        ("ser train --cf", ["--cfg job"]),
        ("ser train 'dataset.emotions=[anger,", []),
        ("ser train head=xyz head.", []),
        ("ser train dataset.path=/tm", []),
        (
            "ser data ch",
            ["check", *(f"check.{key}=" for key in ("shortest", "longest", "clipped_runs", "clipped_share"))],
        ),
        ("ser data check dataset=emod", ["dataset=emodb"]),
        ("ser data check check.short", ["check.shortest="]),
        ("ser predict calib", ["calibrated="]),
        ("ser predict tracking=sq", ["tracking=sqlite"]),
        ("ser export export.", ["export.format="]),
        ("ser list audio/", ["audio/duration", "audio/loudness", "audio/trim"]),
        ("ser show head=ml", ["head=mlp"]),
        ("ser show --", ["--save"]),
        ("ser study plant", ["planted"]),
        ("ser doctor --f", ["--fix"]),
        ("ser completion z", ["zsh"]),
        ("ser ui --h", ["--help"]),
        ("ser ui nothing", []),
    ],
)
def test_what_could_follow(line, expected):
    assert list(complete(line)) == expected


def test_every_command_is_proposed_with_what_it_does():
    found = complete("ser ")
    assert {name: text for name, (_, text) in COMMANDS.items()}.items() <= found.items()


def test_a_choice_of_ones_own_is_proposed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "head").mkdir(parents=True)
    (tmp_path / "conf" / "head" / "mine.yaml").write_text("# My own\ndefaults: [mlp]\nwide: 3  # or wider\n")
    assert complete("ser train head=min") == {"head=mine": "My own"}
    assert complete("ser train head=mine head.wi") == {"head.wide=": "or wider"}
    assert complete("ser train head=mine head.hid") == {"head.hidden=": "sizes of hidden layers"}


def test_the_command_prints_scripts_and_answers(capsys):
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == read_script(shell) and "ser completion ask" in read_script(shell)
    assert main(["completion", "ask", "ser train head=ml"]) == 0
    assert capsys.readouterr().out.startswith("head=mlp\tMultilayer perceptron")
    assert main(["completion", "csh"]) == 2 and "bash, zsh, fish" in capsys.readouterr().err


#: Sets what bash sets when the tab key is pressed, and prints what it would offer.
PRESS = """
eval "$(ser completion bash)"
COMP_LINE="$1"; COMP_POINT=${#1}
read -ra COMP_WORDS <<< "$(sed 's/\\([=:]\\)/ \\1 /g' <<< "$1")"
[[ "$1" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_ser
printf '%s|' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ser tra", "train |"),
        ("ser train head=li", "linear |"),
        ("ser train head=", "dummy |dummy_stratified |knn |"),
        ("ser train head=svm,lin", "svm,linear |"),
        ("ser train trainer.max", "trainer.max_epochs=|"),
        ("ser train dataset.path=/tm", "|"),
    ],
)
def test_bash_replaces_what_it_took_for_the_last_word(line, expected, tmp_path):
    (tmp_path / "ser").write_text(f'#!/bin/sh\nexec {sys.executable} -m ser "$@"\n')
    (tmp_path / "ser").chmod(0o755)
    path = f"{tmp_path}:{Path(shutil.which('sed')).parent}:/bin:/usr/bin"
    said = subprocess.run(["bash", "-c", PRESS, "press", line], capture_output=True, text=True, env={"PATH": path})
    assert said.stdout.startswith(expected), said.stderr
