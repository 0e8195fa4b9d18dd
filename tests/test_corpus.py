import numpy as np
import pandas as pd
import pytest

from ser.audio.prepare import Preparation
from ser.corpus import Selection, join_corpora, read_corpus
from ser.dataset.manifest import Manifest
from ser.errors import InputError


class Listed:
    """A dataset with the rows it is given."""

    def __init__(self, frame):
        self.frame = frame

    def load(self):
        return Manifest("mine", self.frame, ("a note on the copy",))


@pytest.fixture
def frame(tmp_path, build_frame, write_tone):
    paths = [write_tone(tmp_path / f"{index}.wav", 200 + 10 * index, 0.1 + 0.01 * index) for index in range(6)]
    return build_frame(2, ("anger", "fear", "sadness"), 1, paths)


def read(frame, policy="fail", rate=16000):
    return read_corpus(Listed(frame), Preparation(), rate, Selection(on_bad_audio=policy))


def list_digests(corpus):
    return corpus.manifest.frame["digest"].to_numpy()


def list_samples(corpus):
    return corpus.manifest.frame["samples"].to_numpy()


def test_a_corpus_is_read(frame, caplog):
    corpus = read(frame)
    assert list_digests(corpus).shape == list_samples(corpus).shape == (6,) and len(set(list_digests(corpus))) == 6
    assert list_samples(corpus).tolist() == [1600 + 160 * index for index in range(6)]
    assert corpus.skipped == 0 and corpus.rate == 16000 and len(corpus.manifest) == 6
    assert "a note on the copy" in caplog.text
    described = corpus.describe()
    assert described["clips"] == 6 and described["speakers"] == 2 and described["gender"] == {"female": 1, "male": 1}
    assert described["emotions"] == {"anger": 2, "fear": 2, "sadness": 2}
    assert described["hours"] == pytest.approx(list_samples(corpus).sum() / 16000 / 3600, abs=1e-4)


def test_skipped_clips_are_counted_and_the_rest_stays_aligned(frame, tmp_path):
    whole = read(frame)
    (tmp_path / "2.wav").write_bytes(b"")
    corpus = read(frame, "skip")
    assert corpus.skipped == 1 and len(corpus.manifest) == len(list_digests(corpus)) == len(list_samples(corpus)) == 5
    kept = whole.manifest.frame["clip"].isin(corpus.manifest.frame["clip"]).to_numpy()
    np.testing.assert_array_equal(list_digests(corpus), list_digests(whole)[kept])
    np.testing.assert_array_equal(list_samples(corpus), list_samples(whole)[kept])
    assert any("1 unusable clips were skipped" in note for note in corpus.manifest.notes)
    with pytest.raises(InputError, match=r"1 of 6 clips of mine cannot be used"):
        read(frame)


def test_the_fingerprint_covers_content_and_labels_but_not_the_place(frame, tmp_path, write_tone):
    before = read(frame).fingerprint
    (tmp_path / "moved").mkdir()
    for index in range(6):
        (tmp_path / f"{index}.wav").rename(tmp_path / "moved" / f"{index}.wav")
    moved = frame.assign(path=[str(tmp_path / "moved" / path.rpartition("/")[2]) for path in frame["path"]])
    assert read(moved).fingerprint == before
    assert read(moved.assign(label="x")).fingerprint != before
    write_tone(tmp_path / "moved" / "0.wav", 999.0)
    assert read(moved).fingerprint != before


def test_one_emotion_is_refused_before_any_file_is_read(frame):
    only = frame[frame["emotion"] == "anger"].assign(path="/nowhere.wav")
    with pytest.raises(InputError, match=r"(?s)mine has one emotion only: anger.*remedy"):
        read(only)


def test_one_emotion_left_after_skipping_is_refused(frame):
    bad = frame.assign(path=np.where(frame["emotion"] == "anger", frame["path"], "/nowhere.wav"))
    with pytest.raises(InputError, match="one emotion only: anger"):
        read(bad, "skip")


def test_numbers_are_read_and_joined_without_emotions(frame):
    numbers = Selection(target=["arousal"])
    bare = frame.drop(columns=["emotion", "label"]).assign(arousal=range(6))
    with pytest.raises(InputError, match=r"(?s)mine: no clip has an emotion.*dataset.target"):
        read(bare)
    corpora = {
        name: read_corpus(Listed(table), Preparation(), 16000, numbers)
        for name, table in {"bare": bare, "named": bare.assign(emotion="anger", label="W")}.items()
    }
    assert corpora["bare"].describe()["emotions"] == {} and corpora["named"].describe()["emotions"] == {"anger": 6}
    assert corpora["bare"].fingerprint != corpora["named"].fingerprint
    joined = join_corpora(corpora, ("bare",), ("named",))
    assert joined.manifest.frame["dataset"].value_counts().to_dict() == {"bare": 6, "named": 6}
    assert not [note for note in joined.manifest.notes if "left out" in note]


def test_an_unknown_policy_is_refused(frame):
    with pytest.raises(InputError, match=r"(?s)on_bad_audio=ignore.*fail or skip"):
        read(frame, "ignore")


def test_an_empty_manifest_is_refused():
    with pytest.raises(InputError, match="the manifest is empty"):
        read(pd.DataFrame(columns=["clip", "path", "emotion", "label", "speaker"]))
