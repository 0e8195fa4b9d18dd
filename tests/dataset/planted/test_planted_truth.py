"""The truths: clips spoken again, what taking a cue away does, exact Shapley values, the gate."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ser.dataset.planted.corpus import Planted
from ser.dataset.planted.lens import LENS_CUES, LENS_EMOTIONS, score_emotions
from ser.dataset.planted.tracks import PlantedGlobal, PlantedLadder, PlantedLocal, PlantedShortcut
from ser.dataset.planted.truth import (
    Gate,
    attribute_rows,
    check_gate,
    find_shapley,
    list_players,
    measure_effects,
    measure_shapley,
    resynthesise,
)
from ser.errors import InputError

RATE = 16000
MAKERS = {
    "a0": lambda root: PlantedLadder(root=root, speakers=1, utterances_per_speaker=1, steps=2, cues=["tilt"], jobs=1),
    "a1": lambda root: PlantedGlobal(root=root, speakers=4, utterances_per_speaker=4, cue="jitter", jobs=1),
    "a2": lambda root: PlantedLocal(root=root, speakers=4, utterances_per_speaker=4, jobs=1),
    "a3": lambda root: Planted(root=root, speakers=1, utterances_per_speaker=6, jobs=1),
    **{
        f"a4_{kind}": lambda root, kind=kind: PlantedShortcut(
            root=root, speakers=4, utterances_per_speaker=6, shortcut=kind, jobs=1
        )
        for kind in ("noise", "channel", "speaker")
    },
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    root = tmp_path_factory.mktemp("truth")
    return {track: make(root).load().frame for track, make in MAKERS.items()}


def measure_level(waves):
    return [10 * np.log10(np.mean(wave**2)) for wave in waves]


def measure_level_and_length(waves):
    return [[10 * np.log10(np.mean(wave**2)), wave.size / RATE] for wave in waves]


@pytest.mark.parametrize("track", MAKERS)
def test_a_clip_spoken_again_is_the_clip(frames, track):
    for _, row in frames[track].head(3).iterrows():
        wave, _ = soundfile.read(row["path"], dtype="float32")
        np.testing.assert_allclose(resynthesise(row), wave, atol=2**-15)


def test_without_its_cue_a_clip_is_its_twin(frames):
    frame = frames["a2"]
    for _, pair in frame.groupby("matched_pair_id"):
        on, off = (pair[pair["present"] == there].iloc[0] for there in (True, False))
        np.testing.assert_array_equal(resynthesise(on, ["loudness"]), resynthesise(off))
        both = resynthesise(on, ["loudness", "f0_level"])
        assert np.array_equal(both, resynthesise(off)) != on["decoy_present"]


def test_only_time_cues_change_the_length_and_only_inside_the_span_anything_changes(frames):
    row = frames["a3"].iloc[0]
    lengths = {cue: resynthesise(row, [cue]).size for cue in LENS_CUES}
    assert {cue for cue, length in lengths.items() if length != resynthesise(row).size} == {"rate"}
    row = frames["a2"][frames["a2"]["present"]].iloc[0]
    change = np.abs(resynthesise(row) - resynthesise(row, ["loudness"]))
    most = change.max()
    change[int((row["span_start"] - 0.05) * RATE) : int((row["span_end"] + 0.1) * RATE)] = 0
    assert change.max() < most / 50


@pytest.mark.parametrize("shortcut", ["noise", "channel", "speaker"])
def test_a_shortcut_can_be_taken_away(frames, shortcut):
    frame = frames[f"a4_{shortcut}"]
    assert list_players(frame) == (*LENS_CUES, shortcut)
    row = frame[(frame["snr_db"] < 20) if shortcut == "noise" else frame["speaker"].notna()].iloc[0]
    before, after = resynthesise(row), resynthesise(row, [shortcut])
    if shortcut == "speaker":
        assert before.size != after.size  # his rate was his own
        return
    assert before.size == after.size and np.abs(before - after).max() > 1e-3
    if shortcut == "noise":
        # The speech is the same, the noise is the same noise at another level.
        ratio = 10 ** ((row["snr_db"] - 25.0) / 20)
        quiet = slice(0, int(0.08 * RATE))
        np.testing.assert_allclose(after[quiet], before[quiet] * ratio, atol=1e-6)


def test_the_effect_of_a_cue_is_the_change_of_the_score(frames):
    frame = frames["a2"]
    calls = []

    def score(waves):
        calls.append(len(waves))
        return measure_level(waves)

    effects = measure_effects(frame, ["loudness", "f0_level"], score, batch=7)
    assert effects.shape == (len(frame), 2) and max(calls) <= 7 and sum(calls) == 3 * len(frame)
    assert (effects[frame["present"], 0] > 1).all() and (effects[~frame["present"], 0] == 0).all()
    assert np.abs(effects[:, 1]).max() < 0.2  # F0 does not move the level


def test_shapley_values_of_a_score_that_hears_level_and_length(frames):
    frame = frames["a3"].head(3)
    values = measure_shapley(frame, LENS_CUES, measure_level_and_length)
    assert values.shape == (3, 5, 2)
    whole = np.array(measure_level_and_length([resynthesise(row) for _, row in frame.iterrows()]))
    none = np.array(measure_level_and_length([resynthesise(row, LENS_CUES) for _, row in frame.iterrows()]))
    np.testing.assert_allclose(values.sum(axis=1), whole - none, atol=1e-9)
    assert np.abs(values[:, :, 0]).argmax(axis=1).tolist() == [LENS_CUES.index("loudness")] * 3
    np.testing.assert_allclose(values[:, LENS_CUES.index("loudness"), 0], frame["cue_loudness"], atol=0.3)
    others = [place for place, cue in enumerate(LENS_CUES) if cue != "rate"]
    np.testing.assert_allclose(values[:, others, 1], 0, atol=1e-12)  # dummies


games = st.integers(1, 4).flatmap(
    lambda count: st.tuples(st.just(count), st.lists(st.floats(-9, 9), min_size=2**count, max_size=2**count))
)


@given(games)
def test_shapley_values_share_out_the_whole(game):
    count, worth = game
    shares = find_shapley(worth)
    assert shares.shape == (count,)
    assert shares.sum() == pytest.approx(worth[-1] - worth[0], abs=1e-9)


@given(games, st.floats(-5, 5))
def test_a_player_who_adds_the_same_to_all_gets_that(game, alone):
    _, worth = game
    extended = np.concatenate([worth, np.asarray(worth) + alone])
    shares = find_shapley(extended)
    assert shares[-1] == pytest.approx(alone, abs=1e-9)
    np.testing.assert_allclose(shares[:-1], find_shapley(worth), atol=1e-9)  # the others play as before


def test_players_who_do_the_same_get_the_same_and_games_add_up():
    glove = np.array([0, 0, 0, 1, 0, 1, 0, 1.0])  # player 0 has the left glove, players 1 and 2 a right one
    np.testing.assert_allclose(find_shapley(glove), [4 / 6, 1 / 6, 1 / 6])
    majority = np.array([0, 0, 0, 1, 0, 1, 1, 1.0])
    np.testing.assert_allclose(find_shapley(majority), [1 / 3] * 3)
    np.testing.assert_allclose(find_shapley(glove + 2 * majority), find_shapley(glove) + 2 * find_shapley(majority))
    np.testing.assert_allclose(find_shapley(np.stack([glove, majority], axis=1))[:, 1], [1 / 3] * 3)


def test_data_truth_of_the_lens(frames):
    frame = frames["a3"]
    truth = attribute_rows(frame)
    assert truth.shape == (len(frame), len(LENS_EMOTIONS), len(LENS_CUES))
    z = frame[[f"z_{cue}" for cue in LENS_CUES]].to_numpy()
    np.testing.assert_allclose(truth.sum(axis=2), score_emotions(z))
    assert list_players(frames["a1"]) == ("jitter", "loudness")


def test_the_gate():
    true = ["a", "b"] * 50
    predicted = ["a", "a"] * 10 + ["a", "b"] * 40
    assert check_gate(true, predicted, true) == Gate(0.9, 1.0)
    assert check_gate(true, predicted, true).passed and not check_gate(true, predicted, true, share=0.91).passed
    ideal = ["b", "b"] * 20 + ["a", "b"] * 30
    assert check_gate(true, predicted, ideal).describe() == {
        "accuracy": 0.9,
        "ideal": 0.8,
        "wanted": pytest.approx(0.72),
        "passed": True,
    }
    with pytest.raises(InputError, match="100, 99, 100"):
        check_gate(true, predicted[1:], true)


def test_truth_says_what_it_cannot_do(frames):
    row = frames["a1"].iloc[0]
    with pytest.raises(InputError, match="'loudnes' does not exist"):
        resynthesise(row, ["loudnes"])
    with pytest.raises(InputError, match="generator version 0"):
        resynthesise({**row, "generator_version": 0})
    with pytest.raises(InputError, match="11 players"):
        measure_shapley(frames["a1"].head(1), ["tilt"] * 11, measure_level)
    with pytest.raises(InputError, match="no planted label"):
        list_players(frames["a0"])
    with pytest.raises(InputError, match="2\\^players"):
        find_shapley([0.0, 1.0, 2.0])
    with pytest.raises(InputError, match="1 values for"):
        measure_effects(frames["a1"].head(2), ["tilt"], lambda waves: [0.0])
