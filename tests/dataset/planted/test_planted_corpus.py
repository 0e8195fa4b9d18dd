"""The corpus: made once, never half, the same wherever it is made."""

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile

import ser.dataset.planted.folder as folder
from ser.dataset.planted.corpus import Planted
from ser.dataset.planted.cues import CUE_NAMES
from ser.dataset.planted.folder import TABLE
from ser.dataset.planted.lens import LENS_CUES
from ser.dataset.planted.lens_plan import LensPlan
from ser.errors import InputError

#: Samples 8000 to 8003 of a clip of the first version.
WAS = [0.05298649, 0.05685326, 0.05880427, 0.06072525]
SMALL = {"speakers": 2, "utterances_per_speaker": 12, "seed": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    planted = Planted(root=tmp_path_factory.mktemp("planted"), jobs=1, **SMALL)
    return planted, planted.load()


def test_manifest_is_balanced_and_complete(made):
    _, manifest = made
    frame = manifest.frame
    assert len(manifest) == 24
    assert (manifest.counts() == 2).all(axis=None)
    assert (frame.groupby(["speaker", "sentence"])["emotion"].nunique() == 6).all()
    for column in [f"cue_{cue}" for cue in CUE_NAMES] + [f"z_{cue}" for cue in LENS_CUES]:
        assert np.isfinite(frame[column]).all()
    assert frame["clip"].iloc[0] == "s00_000"
    assert set(frame["gender"]) == {"female", "male"}


def test_files_hold_the_clips(made):
    _, manifest = made
    row = manifest.frame.iloc[17]
    wave, rate = soundfile.read(row["path"], dtype="float32")
    assert rate == 16000 and wave.ndim == 1
    expected = LensPlan(2, 12, 3, 8.0).make(1, 5)
    assert expected.row["clip"] == row["clip"]
    assert wave.size / rate == row["duration"]
    np.testing.assert_allclose(wave, expected.wave, atol=2**-14)
    assert np.abs(wave).max() < 0.99


def test_second_load_generates_nothing(made, monkeypatch):
    planted, manifest = made
    before = {path: path.stat().st_mtime_ns for path in planted.folder.rglob("*")}
    monkeypatch.setattr(LensPlan, "make", None)
    again = Planted(root=planted.root, **SMALL).load()
    assert again.frame.equals(manifest.frame)
    assert before == {path: path.stat().st_mtime_ns for path in planted.folder.rglob("*")}


def test_emotions_choose_clips_but_not_audio(made):
    planted, _ = made
    chosen = Planted(root=planted.root, emotions=["anger", "sadness"], jobs=2, **SMALL)
    assert chosen.folder == planted.folder
    assert chosen.load().emotions == ["anger", "sadness"]
    with pytest.raises(InputError, match="did you mean 'anger'"):
        Planted(root=planted.root, emotions=["angr"], **SMALL).load()


def test_a_corpus_made_before_is_the_same_still(made):
    planted, _ = made
    assert Planted().folder.name == "ac3effc31b06" and planted.folder.name == "702fb5e57d52"
    wave = LensPlan(2, 12, 3, 8.0).make(1, 5).wave
    assert wave.size == 27526 and wave[8000:8004].tolist() == pytest.approx(WAS, abs=1e-7)


@pytest.mark.parametrize("other", [{"seed": 4}, {"strength": 4.0}, {"speakers": 3}, {"utterances_per_speaker": 18}])
def test_parameters_that_change_the_audio_change_the_folder(other):
    assert Planted(**SMALL).folder != Planted(**{**SMALL, **other}).folder


def test_two_processes_at_once_make_one_corpus(tmp_path):
    code = (
        "import sys; from ser.dataset.planted.corpus import Planted\n"
        "if __name__ == '__main__':\n"
        "    m = Planted(root=sys.argv[1], speakers=1, utterances_per_speaker=12, jobs=1).load()\n"
        "    print(len(m))\n"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [racer.communicate()[0].strip() for racer in racers] == ["12", "12"]
    folders = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(folders) == 1 and len(list((folders[0] / "wav").iterdir())) == 12


def test_killed_generation_is_not_taken_for_finished(tmp_path):
    planted = Planted(root=tmp_path, speakers=1, utterances_per_speaker=6, jobs=1)
    code = (
        "import os, sys; from ser.dataset.planted.corpus import Planted\n"
        "from ser.dataset.planted.lens_plan import LensPlan\n"
        "make, made = LensPlan.make, []\n"
        "def die(*args):\n"
        "    made.append(1)\n"
        "    if len(made) > 3: os._exit(9)\n"
        "    return make(*args)\n"
        "LensPlan.make = die\n"
        "Planted(root=sys.argv[1], speakers=1, utterances_per_speaker=6, jobs=1).load()\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True).returncode == 9
    leftovers = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert leftovers and not planted.folder.exists()
    assert len(planted.load()) == 6
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [planted.folder]


@pytest.mark.parametrize("lost", [TABLE, "wav/s00_002.flac"])
def test_damaged_folder_is_made_again(tmp_path, lost):
    planted = Planted(root=tmp_path, speakers=1, utterances_per_speaker=6, jobs=1)
    planted.load()
    (planted.folder / lost).unlink()
    assert all(Path(path).is_file() for path in planted.load().frame["path"])


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    planted = Planted(root=tmp_path, speakers=1, utterances_per_speaker=6, jobs=1)
    monkeypatch.setattr(folder.soundfile, "write", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        planted.load()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def load_small(root):
    return len(Planted(root=root, speakers=2, utterances_per_speaker=12, jobs=2).load())


def test_works_inside_a_worker_and_in_parallel(tmp_path):
    inside = joblib.Parallel(n_jobs=2)(joblib.delayed(load_small)(tmp_path / "inside") for _ in range(2))
    assert inside == [24, 24]
    outside = Planted(root=tmp_path / "outside", speakers=2, utterances_per_speaker=12, jobs=2)
    frame = outside.load().frame
    for path in frame["path"][:3]:
        twin = tmp_path / "inside" / outside.folder.name / "wav" / Path(path).name
        assert twin.read_bytes() == Path(path).read_bytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"speakers": 0},
        {"utterances_per_speaker": 0},
        {"utterances_per_speaker": 20},
        {"seed": -1},
        {"strength": -1.0},
        {"strength": float("nan")},
        {"jobs": 0},
    ],
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(InputError, match=f"dataset.{next(iter(wrong))}="):
        Planted(**wrong)


def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make this folder"):
        Planted(root=tmp_path / "file" / "planted", jobs=1, **SMALL).load()
