"""Track C: word and voice tell the emotion by the rule, each of them nothing else, and the truth follows from it."""

import json
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.dataset.planted.modality import PlantedModality
from ser.dataset.planted.modality_plan import QUADRANTS, RULES, ModalityPlan, speak_states
from ser.dataset.planted.truth import find_shapley, list_players, resynthesise
from ser.dataset.planted.word import PREFIX, SPELLINGS, compose_bearing, find_place, respell
from ser.errors import InputError

SMALL = {"speakers": 4, "utterances_per_speaker": 8, "seed": 3, "jobs": 1}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    root = tmp_path_factory.mktemp("modality")
    return {rule: PlantedModality(rule=rule, root=root, **SMALL).load().frame for rule in ("redundant", "unique")}


def plan(rule, local=True):
    return ModalityPlan(24, (16, 16, 16), 5, rule, "loudness", 4.0, local)


@pytest.mark.parametrize(
    ("rule", "state", "truth"),
    [
        *(("text", state, (1, 0, 0)) for state in product((0, 1), repeat=2)),
        *(("speech", state, (0, 1, 0)) for state in product((0, 1), repeat=2)),
        *(("xor", state, (0, 0, 1)) for state in product((0, 1), repeat=2)),
        *(("unique", state, (1 / 3, 1 / 3, 1 / 3)) for state in product((0, 1), repeat=2)),
        ("redundant", (1, 1), (1, 1, -1)),
    ],
)
def test_what_modalities_contribute_follows_from_the_rule(rule, state, truth):
    assert RULES[rule].find_truth(state) == pytest.approx(truth)


@pytest.mark.parametrize("rule", RULES)
def test_contributions_sum_to_one_and_give_shapley_values(rule):
    own = RULES[rule]
    words, voices = map(np.array, zip(*own.states, strict=True))
    for state in set(own.states):
        text, audio, both = own.find_truth(state)
        assert text + audio + both == pytest.approx(1)
        hit = np.array([[own.classes[a, b] == own.classes[state] for b in voices] for a in words])
        worth = [hit.mean(), hit[words == state[0]].mean(), hit[:, voices == state[1]].mean(), 1.0]
        shapley = find_shapley(worth) / (1 - worth[0])
        assert [text + both / 2, audio + both / 2] == pytest.approx(shapley.tolist())


@pytest.mark.parametrize("rule", RULES)
def test_classes_are_balanced_and_a_lone_modality_tells_what_the_rule_says(rule):
    own = RULES[rule]
    classes = pd.Series([own.classes[state] for state in own.states])
    assert len(set(classes.value_counts())) == 1
    for place, tells in ((0, ("text", "redundant", "unique")), (1, ("speech", "redundant", "unique"))):
        table = pd.crosstab(pd.Series([state[place] for state in own.states]), classes)
        assert (table.iloc[0] != table.iloc[1]).any() == (rule in tells)


def test_both_spellings_sound_alike_and_the_voice_changes_where_it_says(frames):
    frame = frames["unique"]
    for _, pair in frame.groupby("matched_pair_id"):
        off, on = (pair[pair["present"] == there].iloc[0] for there in (False, True))
        assert off["text"] == on["text"] and np.isnan(off["span_start"])
        waves = [soundfile.read(row["path"], dtype="float32")[0] for row in (off, on)]
        change = np.abs(waves[0] - waves[1])
        inside = slice(int((on["span_start"] - 0.05) * 16000), int((on["span_end"] + 0.1) * 16000))
        most = change[inside].max()
        change[inside] = 0
        assert most > 1e-3 and change.max() < most / 50
    said = compose_bearing(3, 1)
    written = [respell(said.text, find_place(3, 1), state) for state in (0, 1)]
    assert len(set(written)) == 2 and written[0] == said.text


def test_times_of_words_are_those_of_the_voice(frames):
    for row in frames["redundant"].to_dict("records"):
        words = json.loads(row["words"])
        assert [word for word, _, _ in words] == row["text"].split()
        assert words[row["word_index"]][0] == SPELLINGS[row["word_state"]]
        edges = [edge for _, start, end in words for edge in (start, end)]
        assert edges == sorted(edges) and edges[0] > 0 and edges[-1] < row["duration"]
        if row["present"]:  # on a word, which is not the one that tells
            spans = [(start, end) for _, start, end in words]
            place = spans.index(pytest.approx((row["span_start"], row["span_end"]), abs=1e-3))
            assert place != row["word_index"]


def test_rows_are_enough_to_speak_a_clip_again(frames):
    frame = frames["redundant"]
    assert list_players(frame) == ("loudness",)
    for row in [frame[frame["present"] == there].iloc[0].to_dict() for there in (True, False)]:
        wave = soundfile.read(row["path"], dtype="float32")[0]
        assert np.abs(resynthesise(row) - wave).max() < 1e-4
        assert (np.abs(resynthesise(row, ["loudness"]) - wave).max() > 1e-3) == row["present"]
        states = speak_states(row)
        assert np.abs(states[row["present"]] - wave).max() < 1e-4
        assert np.abs(states[1] - states[0]).max() > 1e-3


def test_emotions_follow_the_rule(frames):
    own = frames["redundant"]
    told = (own["word_state"] == 1) | own["present"]
    assert (own["emotion"] == np.where(told, "anger", "neutral")).all()
    four = frames["unique"]
    expected = [QUADRANTS[word, int(there)] for word, there in zip(four["word_state"], four["present"], strict=True)]
    assert four["emotion"].tolist() == expected and set(four["label"]) == {"SAD", "CAL", "ANG", "HAP"}
    assert (four["ideal"] == four["emotion"]).all() and four["sentence"].str.startswith(PREFIX).all()


def test_the_cue_may_be_all_over_the_utterance():
    rows = [plan("speech", local=False).make(0, take).row for take in range(4)]
    assert sorted(row["cue_loudness"] for row in rows) == [0, 0, 8, 8]
    assert all("planted_dose" not in row for row in rows)
    row = next(row for row in rows if row["present"]) | {"seed": 5, "strength": 4.0}
    again = speak_states(row)
    assert np.abs(again[1] - resynthesise(row)).max() < 1e-6 < 1e-3 < np.abs(again[1] - again[0]).max()


def test_words_never_run_into_one_another():
    for number in range(40):
        syllables = compose_bearing(9, number).syllables
        assert len(syllables) % 3 == 0 and 9 <= len(syllables) <= 15
        for one, other in pairwise(syllables):
            assert other.onset.kind != "none" or one.vowel != other.vowel


def test_parameters_are_checked(tmp_path):
    with pytest.raises(InputError, match=r"dataset\.rule=or"):
        PlantedModality(rule="or", root=tmp_path)
    with pytest.raises(InputError, match="multiple of 8"):
        PlantedModality(rule="redundant", utterances_per_speaker=12, root=tmp_path)
    with pytest.raises(InputError, match="no such cue here"):
        PlantedModality(cue="pause", root=tmp_path)
