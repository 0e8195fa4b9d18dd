"""What a run says of its corpora, written and read."""

import pandas as pd

from ser.dataset.described import describe_clips, find_same_sound, read_described
from ser.dataset.emodb import INFO

FRAME = pd.DataFrame(
    {
        "clip": ["a", "b", "c", "d", "d"],
        "speaker": ["x", "x", "y", "y", "y"],
        "gender": ["female", "female", None, None, None],
        "emotion": ["anger", "fear", "anger", "fear", "fear"],
        "samples": [16000 * 900] * 5,
        "digest": ["1", "2", "1", "3", "3"],
    }
)


def test_a_corpus_is_read_as_it_was_written():
    [found] = read_described({"corpora": [describe_clips("emodb", FRAME, 16000, INFO)]})
    assert (found.clips, found.speakers, found.hours) == (5, 2, 1.25)
    assert found.emotions == {"anger": 2, "fear": 3} and found.gender == {"female": 1, "unknown": 1}
    assert (found.licence, found.citation, found.url) == (INFO.licence, INFO.citation, INFO.url)


def test_of_one_that_nobody_published_only_sizes_are_known():
    [found] = read_described({"corpora": [describe_clips("mine", FRAME, 16000, None)]})
    assert found.name == "mine" and found.clips == 5 and found.licence == ""


def test_older_records_describe_all_corpora_together():
    [found] = read_described({"name": "a+b", "clips": 7, "speakers": 2, "hours": 0.1, "fingerprint": "x"})
    assert (found.name, found.clips) == ("a+b", 7)
    assert read_described({}) == []


def test_clips_that_sound_alike_are_other_clips():
    assert find_same_sound(FRAME) == [["a", "c"]]  # d, twice in the list, is one clip
