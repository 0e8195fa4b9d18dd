import shutil

import pytest

from ser.cli import main
from ser.doctor import around, checks, packages
from ser.doctor.finding import Finding


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SER_DATA", "SER_WEIGHTS", "SER_OUTPUTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_packages_as_they_are_installed_here():
    assert packages.check_python().status == "ok"
    assert [finding.status for finding in packages.check_packages()] == ["ok"] or not packages.CONSTRAINTS.is_file()
    assert "docs" not in packages.check_extras().text and "optuna" in packages.check_extras().text


def test_another_version_than_the_tested_one_is_a_warning(tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("numpy==1.0\nhydra_core==9 ; python_version > '3'\n# pandas==1\n")
    monkeypatch.setattr(packages, "CONSTRAINTS", tmp_path / "constraints.txt")
    (finding,) = packages.check_packages()
    assert finding.status == "warning" and "(tested: 1.0)" in finding.text and "hydra-core" in finding.text
    assert finding.remedy == "make install"


def test_a_package_that_is_missing_or_too_old_is_an_error(monkeypatch):
    monkeypatch.setattr(packages, "find_version", lambda name: {"numpy": "1.9", "scipy": ""}.get(name, "99"))
    monkeypatch.setattr(packages, "requires", lambda _: ["numpy>=2", "scipy>=1", "torch>=2", "x>9; extra == 'y'"])
    (finding,) = packages.check_packages()
    assert finding.status == "error" and "numpy>=2 (found 1.9)" in finding.text and "scipy" in finding.text
    assert "torch" not in finding.text and "x>9" not in finding.text


@pytest.mark.parametrize(("free", "expected"), [(20e9, "ok"), (5e9, "warning"), (0.5e9, "error")])
def test_room_on_the_disk(free, expected, here, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    finding = around.check_disk(here / "not" / "yet")
    assert finding.status == expected and bool(finding.remedy) == (expected != "ok")
    assert not list(here.iterdir())


def test_a_file_where_the_folder_should_be(here):
    (here / "outputs").write_text("a file")
    for path in (here / "outputs", here / "outputs" / "below"):
        finding = around.check_disk(path)
        assert finding.status == "error" and "is a file" in finding.text and "SER_OUTPUTS" in finding.remedy


def test_a_folder_that_cannot_be_written(here, monkeypatch):
    monkeypatch.setattr(around.os, "access", lambda *_: False)
    finding = around.check_disk(here)
    assert finding.status == "error" and "cannot be written" in finding.text and "SER_OUTPUTS" in finding.remedy


def test_corpora_are_found_and_counted_without_being_read(here, monkeypatch):
    (finding,) = around.check_corpora()
    assert finding.status == "warning" and "SER_DATA is not set" in finding.text and "emodb, emovo" in finding.remedy
    monkeypatch.setenv("SER_DATA", str(here / "nowhere"))
    assert next(around.check_corpora()).text.endswith("nowhere: no such folder")
    for name in ("emodb/wav/a.wav", "emodb/wav/b.FLAC", "emodb/notes.txt", "tess/readme.txt"):
        (here / "corpora" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "corpora" / name).write_text("no audio")
    monkeypatch.setenv("SER_DATA", str(here / "corpora"))
    emodb, tess = around.check_corpora()
    assert emodb.status == "ok" and emodb.text == f"dataset=emodb: 2 audio files in {here / 'corpora' / 'emodb'}"
    assert tess.status == "warning" and "0 audio files" in tess.text and "ser data check dataset=tess" in tess.remedy


def test_counting_ends_in_time(here):
    for number in range(3):
        (here / str(number)).mkdir()
        (here / str(number) / "x.wav").touch()
    assert around.count_files(here, {".wav"}, end=float("inf")) == (3, True)
    assert around.count_files(here, {".wav"}, end=0.0) == (0, False)


def test_checkpoints_under_weights_and_in_the_hubs_cache(here, monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda place, _: asked.append(place))
    finding = around.check_weights()
    assert finding.status == "warning" and "SER_WEIGHTS is not set" in finding.text
    monkeypatch.setenv("SER_WEIGHTS", str(here / "nowhere"))
    assert around.check_weights().text.endswith("nowhere: no such folder")
    (here / "w" / "byol-s-512").mkdir(parents=True)
    monkeypatch.setenv("SER_WEIGHTS", str(here / "w"))
    finding = around.check_weights()
    assert finding.status == "ok" and "checkpoints here: byol_s;" in finding.text
    assert "microsoft/wavlm-large" in asked and not any("byol" in place for place in asked)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda place, _: place)
    assert "wavlm_large" in around.check_weights().text


def test_a_configuration_of_ones_own_is_told(here):
    assert list(around.check_own()) == []
    for name in ("head/mlp.yaml", "head/mine.yaml", "backbones/x.yaml"):
        (here / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "conf" / name).write_text("# Mine\n")
    wrong, joined = around.check_own()
    assert (
        wrong.status == "warning"
        and "no config group backbones" in wrong.text
        and wrong.remedy == "rename it to backbone"
    )
    assert joined.status == "ok" and "adds backbones/x, head/mine; wins over head/mlp" in joined.text


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warning", 0), ("error", 1)])
def test_the_exit_code_is_one_with_an_error(monkeypatch, capsys, status, code):
    monkeypatch.setattr(
        checks, "check_all", lambda *_: [Finding(status, "a finding", "" if status == "ok" else "mend it")]
    )
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [status, "a", "finding"] and (status == "ok") == (len(lines) == 1)
    assert status == "ok" or lines[1].strip() == "remedy: mend it"


@pytest.mark.parametrize("option", ["--fixx", "tracking.uri="])
def test_unknown_options_are_refused(option, capsys):
    assert main(["doctor", option]) == 2 and "--fix" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [(ImportError("libx.so", name="pandas"), "pandas cannot"), (KeyError("a"), "broke off: KeyError")],
)
def test_a_check_that_breaks_off_does_not_stop_the_others(monkeypatch, capsys, error, words):
    def fail():
        raise error

    monkeypatch.setattr(checks, "check_corpora", fail)
    monkeypatch.setattr(checks, "start_look", lambda: None)
    monkeypatch.setattr(checks, "check_torch", lambda _: [Finding("ok", "torch is fine")])
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert words in said and "torch is fine" in said


def test_fix_touches_nothing_that_works(monkeypatch):
    monkeypatch.setattr(checks, "check_torch", lambda _: [Finding("ok", "torchaudio 2.9")])
    monkeypatch.setattr(checks, "start_look", lambda: None)
    monkeypatch.setattr(checks, "set_extension_aside", lambda: pytest.fail("moved files of a working package"))
    main(["doctor", "--fix"])


def test_all_of_it_here(here, capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for word in ("Python", "packages", "opensmile", "GB free", "mlflow.db", "SER_DATA", "torch ", "torchaudio"):
        assert word in said
    assert not list(here.iterdir()), "it changes nothing"
