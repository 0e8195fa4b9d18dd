import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.errors import LeakError
from ser.language.heard import LANGUAGE, Heard, check_leaks, describe_heard, hash_recordings, read_heard, write_heard
from ser.results import write_json


@pytest.fixture
def make_frame(tmp_path, write_tone):
    """Rows of speakers with a recording each; the same frequency is the same recording."""

    def make(speakers, frequencies, dataset="mine"):
        paths = [write_tone(tmp_path / dataset / f"{f}-{n}.wav", f) for n, f in enumerate(frequencies)]
        rows = {"clip": [f"{s}-{n}" for n, s in enumerate(speakers)], "speaker": speakers, "path": map(str, paths)}
        return pd.DataFrame(rows).assign(start=np.nan, end=np.nan, language="it", dataset=dataset)

    return make


def test_heard_speakers_are_refused_by_name_with_those_who_were_not(make_frame):
    heard = describe_heard("abc", make_frame(["f1", "f2", "m1"], [200, 210, 220]))
    assert heard == [Heard("abc", "mine", ("it",), ("f1", "f2", "m1"), heard[0].recordings)]
    check_leaks(heard, make_frame(["f3", "m3"], [400, 410]))
    check_leaks(heard, make_frame(["f1"], [400], dataset="another"))
    check_leaks([], make_frame(["f1"], [200]))
    with pytest.raises(LeakError) as refused:
        check_leaks(heard, make_frame(["f1", "f3", "m1", "m3"], [400, 410, 420, 430]))
    for part in ("2 speakers were heard", "mine f1, mine m1", "split.test_speakers=[f3,m3]", "run abc heard mine"):
        assert part in str(refused.value)


def test_speakers_of_corpora_read_together_carry_their_corpus(make_frame):
    heard = describe_heard("abc", make_frame(["f1"], [200]))
    together = make_frame(["mine/f1", "mine/f3"], [400, 410])
    with pytest.raises(LeakError, match="mine f1"):
        check_leaks(heard, together)
    check_leaks(heard, make_frame(["mine/f1"], [400], dataset="other"))
    backwards = describe_heard("abc", together)
    assert backwards[0].speakers == ("f1", "f3")


def test_recordings_are_found_under_other_names_and_formats(make_frame):
    heard = describe_heard("abc", make_frame(["f1", "f2"], [200, 210]))
    copies = make_frame(["x", "y"], [300, 210], dataset="copy")
    for path in copies["path"]:
        soundfile.write(path.replace(".wav", ".flac"), *soundfile.read(path, dtype="int16"))
    with pytest.raises(LeakError) as refused:
        check_leaks(heard, copies.assign(path=copies["path"].str.replace(".wav", ".flac")))
    assert "1 clips" in str(refused.value) and "y-1 (speakers y)" in str(refused.value)


def test_a_hash_is_of_samples_between_limits(tmp_path, write_tone):
    path = write_tone(tmp_path / "long.wav", 300.0, 1.0)
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(tmp_path / "part.wav", samples[rate // 4 : rate // 2], rate)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    places = [(path, 0.25, 0.5), *((tmp_path / name, None, None) for name in ("part", "long", "broken", "gone"))]
    frame = pd.DataFrame([(str(file.with_suffix(".wav")), *limits) for file, *limits in places])
    frame.columns = ["path", "start", "end"]
    part, same, whole, broken, gone = hash_recordings(frame)
    assert part == same != whole and broken == gone == ""


def test_unusable_files_are_not_alike(make_frame, tmp_path):
    frame = make_frame(["f1"], [200])
    gone = frame.assign(path=str(tmp_path / "gone.wav"))
    heard = describe_heard("abc", gone)
    assert heard[0].recordings == ()
    check_leaks(heard, gone.assign(dataset="other"))


def test_it_is_kept_beside_the_weights(tmp_path, make_frame):
    heard = describe_heard("abc", make_frame(["f1", "f2"], [200, 210]))
    write_json(tmp_path / LANGUAGE, {"heard": write_heard(heard)})
    assert read_heard(tmp_path) == heard
    assert read_heard(None) == read_heard("facebook/wav2vec2-base") == read_heard(tmp_path / "mine") == []
