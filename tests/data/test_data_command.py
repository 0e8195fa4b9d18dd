import csv
import io
import json

import pytest

from ser.cli import main as run_cli
from ser.commands.data import main
from ser.data.catalogue import find_class, list_corpora
from ser.errors import InputError
from ser.paths import find_shipped


def test_every_choice_is_listed_with_what_is_published(capsys):
    entries = {entry.name: entry for entry in list_corpora()}
    choices = {path.stem for path in (find_shipped("conf") / "dataset").glob("*.yaml")}
    assert set(entries) == {name for name in choices if not name.startswith("_")}
    emodb = entries["emodb"]
    assert (emodb.language, emodb.clips, emodb.speakers, emodb.classes) == ("de", 535, 10, 7) and emodb.access
    assert entries["csv"].clips is None and entries["csv"].title
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in entries) and "535" in printed


def test_the_list_for_programs(capsys):
    assert main(["list", "format=json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert records["emodb"]["emotions"]["anger"] == 127
    assert main(["list", "format=csv"]) == 0
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert (
        rows["emodb"]["clips"] == "535"
        and rows["emodb"]["emotions"].startswith("anger:127")
        and len(rows) == len(records)
    )


def test_where_a_corpus_lies_is_said(monkeypatch, tmp_path):
    (tmp_path / "emodb").mkdir()
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    here = {entry.name: entry.here for entry in list_corpora()}
    assert here["emodb"] == str(tmp_path / "emodb") and not here["csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "one of list, check"),
        (["check", "explore"], "one of list, check"),
        (["dataset=emodb"], "one of list, check"),
        (["list", "format=xml"], "format=table|csv|json"),
        (["check", "-m", "dataset=emodb"], "-m"),
        (["check", "dataset=emodbb"], "emodbb"),
        (["check", "check.shortestt=1"], "shortestt"),
        (["check", "dataset=emodb", "dataset.root=/nowhere/at/all"], "no such folder"),
        (["check", "data.train=[emodb,ravdess]"], "one corpus at a time"),
        (["explore", "dataset=emodb", "on_bad_audio=perhaps"], "fail or skip"),
    ],
)
def test_mistakes_end_with_code_2(arguments, said, capsys):
    assert run_cli(["data", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_help_and_the_long_form(capsys, monkeypatch):
    assert main([]) == 0 and main(["--help"]) == 0
    assert "usage: ser data list" in capsys.readouterr().out
    assert main(["action=list", "format=json"]) == 0


def test_a_class_that_is_not_there():
    with pytest.raises(InputError, match="cannot be imported"):
        find_class("ser.dataset.nothing.Nothing")
