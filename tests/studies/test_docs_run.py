"""What README and quick start have a newcomer do first, as written; only the built-in corpus is smaller."""

import shutil

import pandas as pd
import pytest
from page_tools import ROOT, list_blocks, list_commands

from ser.paths import find_shipped

#: The corpus of one's own has a page, and tests, of its own; completion is for shells.
ELSEWHERE = ("dataset=csv", "completion")


@pytest.fixture
def follow(ser, tmp_path, monkeypatch):
    """Give a page's commands where ``outputs`` is the reader's, whose ``conf`` makes the built-in corpus small."""
    text = (find_shipped("conf") / "dataset" / "planted.yaml").read_text()
    small = text.replace("speakers: 12", "speakers: 4").replace(
        "utterances_per_speaker: 60", "utterances_per_speaker: 12"
    )
    assert small != text
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "planted.yaml").write_text(small)
    monkeypatch.chdir(tmp_path)

    def run(commands):
        said = {}
        for words in commands:
            said[" ".join(words)] = ser(*words[1:])
            assert said[" ".join(words)].code == 0, (words, said[" ".join(words)].err)
        return said

    return run


def list_ours(page):
    """Commands of ours on a page, without those that others test."""
    commands = [words for block in list_blocks(ROOT / page) for words in list_commands(block) if not block.excuse]
    return [words for words in commands if words[0] == "ser" and not set(ELSEWHERE) & set(words)]


def test_the_quick_start(follow, tmp_path):
    commands = list_ours("docs/quick-start.md")
    assert {words[1] for words in commands} == {"doctor", "train", "explain", "list", "show"}
    said = follow(commands)
    (sweep,) = (text.out for words, text in said.items() if "-m" in words.split())
    assert "skipped" in sweep and sweep.count("finished") == 11, "the first run is part of the sweep"
    assert (tmp_path / "outputs" / "first" / "report.html").is_file()
    (explained,) = (text.out for words, text in said.items() if words.startswith("ser explain"))
    assert "dimensions.csv" in explained or list(tmp_path.glob("outputs/**/dimensions.csv"))


def test_a_run_from_python_is_used_and_exported(follow, tmp_path, capsys):
    (block,) = (block for block in list_blocks(ROOT / "README.md") if block.language == "python")
    exec(compile(block.text, "README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) <= 1
    sounds = sorted((tmp_path / "outputs" / "cache" / "planted").glob("**/*.flac"))[:3]
    (tmp_path / "calls").mkdir()
    for sound in sounds:
        shutil.copy(sound, tmp_path / "calls")
    follow([words for words in list_ours("README.md") if words[1] in ("predict", "export")])
    table = pd.read_csv(tmp_path / "calls.csv")
    assert len(table) == len(sounds) == 3 and "predicted" in table
    assert (tmp_path / "my-model").is_dir()
