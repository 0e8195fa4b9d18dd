from importlib.machinery import ModuleSpec

import pytest

from ser import doctor
from ser.commands import doctor as command
from ser.doctor import Finding


@pytest.fixture
def torchaudio(tmp_path, monkeypatch):
    """A folder that passes for torchaudio with two compiled files."""
    (tmp_path / "lib").mkdir()
    for name in ("lib/_torchaudio.so", "lib/libtorchaudio.so", "__init__.py"):
        (tmp_path / name).touch()
    spec = ModuleSpec("torchaudio", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(doctor, "find_spec", lambda _: spec)
    return tmp_path


def test_setting_aside_moves_the_compiled_files_and_says_which(torchaudio):
    moved = doctor.set_extension_aside()
    assert [path.name for path in moved] == ["_torchaudio.so", "libtorchaudio.so"]
    assert all(path.parent == torchaudio / "lib" / "set-aside" and path.is_file() for path in moved)
    assert not list((torchaudio / "lib").glob("*.so")) and (torchaudio / "__init__.py").exists()
    assert doctor.set_extension_aside() == []


def test_a_package_that_is_not_installed_is_an_error(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert doctor.check_torchaudio().status == "error"


def test_opensmile_is_there_and_its_licence_is_told():
    finding = doctor.check_opensmile()
    assert finding.status == "ok" and "research" in finding.text


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warning", 0), ("error", 1)])
def test_the_exit_code_is_one_with_an_error(monkeypatch, capsys, status, code):
    monkeypatch.setattr(command, "check_torchaudio", lambda: Finding(status, "torchaudio 1.0"))
    assert command.main([]) == code
    assert capsys.readouterr().out.splitlines()[0].split() == [status, "torchaudio", "1.0"]


def test_fix_touches_nothing_that_works(monkeypatch, capsys):
    monkeypatch.setattr(command, "check_torchaudio", lambda: Finding("ok", "torchaudio"))
    monkeypatch.setattr(command, "set_extension_aside", lambda: pytest.fail("moved files of a working package"))
    assert command.main(["--fix"]) == 0
