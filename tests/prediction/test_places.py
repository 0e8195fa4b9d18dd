import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.prediction.places import LONGEST, Place, Windows, list_files, make_places, read_texts


@pytest.fixture
def folder(tmp_path, write_tone):
    for name in ("b.wav", "a.flac", "deep/c.ogg"):
        write_tone(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


def test_a_folder_stands_for_its_recordings(folder):
    names = [file.removeprefix(f"{folder}/") for file in list_files(str(folder))]
    assert names == ["a.flac", "b.wav", "deep/c.ogg"]


def test_patterns_and_lists_name_each_file_once(folder, monkeypatch):
    assert list_files(f"{folder}/*.wav") == [f"{folder}/b.wav"]
    twice = list_files([f"{folder}/b.wav", f"{folder}/*.*a*", f"{folder}/b.wav"])
    assert twice == [f"{folder}/b.wav", f"{folder}/a.flac"]
    monkeypatch.chdir(folder)
    assert list_files("**/*.ogg") == ["deep/c.ogg"]


def test_a_file_that_is_named_need_not_be_there_yet_a_pattern_must_match(folder):
    assert list_files(f"{folder}/gone.wav") == [f"{folder}/gone.wav"]
    with pytest.raises(InputError, match="no file matches"):
        list_files(f"{folder}/*.mp3")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no recordings in this folder"):
        list_files(f"{folder}/empty")
    with pytest.raises(InputError, match="audio: what is to be judged"):
        list_files(None)


def test_brackets_in_a_name_are_no_pattern_where_the_file_is_there(folder, write_tone):
    path = write_tone(folder / "take[1].wav")
    assert list_files(str(path)) == [str(path)]


@given(st.floats(0.1, 400), st.none() | st.floats(0.5, 20), st.none() | st.floats(0.2, 0.5))
def test_windows_cover_a_recording_without_gaps(seconds, window, hop):
    windows = Windows(window, hop)
    found = windows.cut(seconds)
    if seconds <= (window or LONGEST):
        assert found == []
        return
    starts, ends = np.array(found).T
    assert starts[0] == 0 and ends[-1] == pytest.approx(seconds)
    np.testing.assert_allclose(ends - starts, windows.length)
    assert (np.diff(starts) <= (hop or windows.length / 2) + 1e-9).all() and (starts[1:] <= ends[:-1]).all()


@pytest.mark.parametrize(("window", "hop", "words"), [(0, None, "window=0"), (2, 3, "hop=3"), (None, 6, "hop=6")])
def test_windows_that_are_none(window, hop, words):
    with pytest.raises(InputError, match=words):
        Windows(window, hop)


def test_windows_fit_into_what_a_model_hears():
    assert Windows(most=2.0).length == 2 and Windows(3.0, most=2.0).length == 3


def test_a_long_file_is_divided_and_a_broken_one_is_left_for_later(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 8000 * 31), 8000)
    parts = Windows().divide(Place(str(tmp_path / "long.wav"), text="x"), 16000)
    assert (parts[0].start, parts[0].end, parts[-1].end, parts[1].text) == (0, 5, 31, "x")
    (tmp_path / "broken.wav").write_text("no")
    (broken,) = Windows(1.0).divide(Place(str(tmp_path / "broken.wav")), 16000)
    assert broken.start is None
    array = Windows(1.0, 1.0).divide(Place("array", samples=np.zeros(16000 * 3)), 16000)
    assert [each.start for each in array] == [0, 1, 2]


def test_texts_name_files_by_path_name_or_stem(folder):
    files = list_files(str(folder))
    table = folder / "texts.csv"
    table.write_text(f"clip,text\n{files[0]},one\nb.wav,two\nc,\n")
    texts = read_texts(table, files)
    assert texts == ["one", "two", None]
    assert [place.text for place in make_places(files, texts)] == texts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("clip,word\nb,x\n", "no column text"),
        ("clip,text\nb,x\nb,y\n", "two texts: b"),
        ("clip,text\nz,x\n", "not among the files: z"),
    ],
)
def test_texts_that_do_not_fit(folder, content, words):
    (folder / "texts.csv").write_text(content)
    with pytest.raises(InputError, match=words):
        read_texts(folder / "texts.csv", list_files(str(folder)))
