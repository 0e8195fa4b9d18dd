import resource
import subprocess
import sys

import pytest

from ser.annotated import flatten
from ser.choices import find_group, list_groups
from ser.cli import main
from ser.usage import describe_stage, find_stage, list_stage_groups

STAGES = ("train", "explain", "pretune", "stats")


@pytest.mark.parametrize("stage", STAGES)
def test_help_says_what_each_group_and_key_is_for(stage, capsys):
    assert main([stage, "--help"]) == 0
    said = capsys.readouterr().out
    assert said == describe_stage(stage) and f"usage: ser {stage}" in said
    flat = " ".join(said.split())
    document = find_stage(stage)
    assert list_stage_groups(document)
    for name in list_stage_groups(document):
        assert f" {name}" in said and " ".join(find_group(name).purpose.split()) in flat
    for name, setting in flatten(document.settings):
        if not setting.inside and not name.startswith("hydra"):
            assert name in said and setting.text in flat
    assert max(map(len, said.splitlines())) <= 122
    assert ("[-m]" in said) == (stage != "stats")


def test_every_group_is_one_of_a_stage():
    stages = [find_stage(stage) for stage in STAGES]
    assert set(list_groups()) == {group for stage in stages for group in list_stage_groups(stage)}


def test_a_group_that_a_choice_brings_is_told():
    assert list_stage_groups(find_stage("train"))["fusion"] == ""


def test_commands_without_groups_have_help_of_their_own(capsys):
    assert describe_stage("data") == "" and describe_stage("nothing") == ""
    assert main(["data", "--help"]) == 0 and "usage: ser data list" in capsys.readouterr().out


def test_help_comes_at_once():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    said = subprocess.run([sys.executable, "-m", "ser", "train", "--help"], capture_output=True, text=True, check=True)
    assert "dataset=planted" in said.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1


def test_who_reads_no_further_gets_no_traceback():
    command = f"{sys.executable} -m ser train --help | head -1"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("Train and evaluate") and not said.stderr
