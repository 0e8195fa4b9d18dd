"""When words happen: what columns may hold, where marks lie in a prepared clip, what generated clips know."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import torch

from ser.config import compose
from ser.corpus import make_dataset
from ser.dataset.planted.truth import read_script
from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.clip import Clip
from ser.explainer.marks import check_marks, read_words, run_explainer
from ser.explainer.null import Random
from ser.explainer.segments.estimators import LeaveOneOut
from ser.explainer.segments.explain import Segments
from ser.explainer.segments.units import FixedLength, Words
from ser.explainer.subject import Subject


@dataclass
class Noting:
    """An explainer that keeps what it is told."""

    column: str | None = "words"
    told: list = field(default_factory=list)

    def explain(self, subject, inputs, classes, marks=None):
        self.told.append(marks)
        return Relevance(torch.zeros_like(inputs))


def make_clip(words, offset=0.0):
    wave = np.zeros(800, np.float32)
    inputs = torch.from_numpy(wave)[None]
    row = {"clip": "c", "words": words}
    return Clip("c", "mine", "s", "anger", "anger", inputs, torch.tensor([0]), wave, offset, row)


@pytest.mark.parametrize(
    "value", ['[["good", 0.31, 0.52], ["day", "0.6", 0.9]]', [["good", 0.31, 0.52], ["day", 0.6, 0.9]]]
)
def test_words_are_read_from_json_and_from_lists(value):
    assert read_words({"clip": "c", "words": value}, "words") == [(0.31, 0.52), (0.6, 0.9)]


@pytest.mark.parametrize(
    "value", ["good day", "[]", "3", "[[0.1, 0.2]]", '[["a", 0.5, 0.5]]', '[["a", "b", 0.5]]', "{}"]
)
def test_what_is_no_list_of_words_is_refused_by_clip_and_column(value):
    with pytest.raises(InputError, match=r"clip c: column words: .*"):
        read_words({"clip": "c", "words": value}, "words")


@pytest.mark.parametrize("row", [{"clip": "c"}, {"clip": "c", "words": None}, {"clip": "c", "words": float("nan")}])
def test_missing_words_say_how_to_get_them(row):
    with pytest.raises(InputError, match="column words of the manifest") as error:
        read_words(row, "words")
    assert "dataset.columns.words" in str(error.value) and "forced aligner" in str(error.value)


def test_marks_are_on_the_time_axis_of_the_prepared_clip():
    subject = Subject(("anger", "neutral"), 1000, ask=lambda waves: np.zeros((len(waves), 2)))
    clips = [make_clip('[["a", 0.5, 0.7]]', offset) for offset in (0.0, 0.2, -0.1)]
    inputs, classes = torch.cat([clip.inputs for clip in clips]), torch.zeros(3, dtype=torch.long)
    noting = Noting()
    run_explainer(subject, noting, inputs, classes, clips)
    np.testing.assert_allclose(noting.told[0], [[(0.5, 0.7)], [(0.3, 0.5)], [(0.6, 0.8)]])
    run_explainer(subject, Noting(column=None), inputs, classes, [make_clip(None)] * 3)  # needs none
    run_explainer(subject, Random(), inputs, classes, [make_clip(None)] * 3)


def test_clips_without_words_are_refused_before_anything_is_explained():
    rows = pd.DataFrame({"clip": ["a", "b"], "words": ['[["a", 0.1, 0.2]]', None]})
    words, fixed = (Segments(unit, LeaveOneOut()) for unit in (Words(), FixedLength()))
    with pytest.raises(InputError, match="clip b"):
        check_marks(words, rows)
    with pytest.raises(InputError, match="column when"):
        check_marks(Segments(Words("when"), LeaveOneOut()), rows)
    check_marks(words, rows.iloc[:1])
    for explainer in (fixed, Random()):
        check_marks(explainer, rows)


def test_generated_clips_know_their_words(tmp_path):
    keys = ["dataset=planted_a2", "dataset.speakers=4", "dataset.utterances_per_speaker=4", "dataset.jobs=1"]
    frame = make_dataset(compose([*keys, f"dataset.root={tmp_path}"]).dataset).load().frame
    for row in frame.iloc[::5].to_dict("records"):
        words = np.array(read_words(row, "words"))
        assert len(words) == len(row["text"].split()) and (words[:, 0] < words[:, 1]).all()
        assert (words[1:, 0] >= words[:-1, 1] - 1e-9).all() and words[-1, 1] <= row["duration"]
        script = read_script(row)
        if row["present"]:  # the cue lies within one word
            [inside] = [place for place, (start, end) in enumerate(words) if start <= row["span_start"] < end]
            assert row["span_end"] <= words[inside, 1] + 1e-9
            first, end = script.sentence.words[inside]
            assert first <= row["span_first"] < end
