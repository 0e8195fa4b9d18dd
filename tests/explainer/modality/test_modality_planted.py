"""Of a model that follows a rule, what is found is what is planted, and scoring says so."""

import numpy as np
import pandas as pd
import pytest
from modality_tools import follow

from ser.audio.prepare import Preparation
from ser.dataset.planted.modality_plan import RULES
from ser.explainer.modality.game import Game
from ser.explainer.modality.planted import (
    FOUND,
    TRUTH,
    compare,
    describe_caused,
    describe_planted,
    is_track_c,
    play_states,
    point,
)
from ser.explainer.modality.share import COLUMNS, Division, share_out
from ser.explainer.modality.tables import describe_clips, find_gap, tabulate_scores, tabulate_shares

DIVISION = Division(seconds=0.5, most=8, masks=64, draws=4, seed=0)


@pytest.fixture(scope="module", params=RULES)
def played(request, tmp_path_factory):
    material = follow(request.param, tmp_path_factory.mktemp("rule"))
    game = material.play()
    clips = describe_clips(material, game).join(describe_planted(material))
    return request.param, material, game, clips, play_states(material, Preparation())


def test_shares_are_the_planted_ones(played):
    rule, material, _, clips, states = played
    beside = compare(clips, 200, describe_caused(material, states))
    # Few clips stand for the marginal, and a clip is not among those that stand for itself.
    tolerance = 1e-9 if rule in ("text", "speech") else 0.15
    assert beside.metrics["planted/clips"] == len(clips) == beside.cells["clips"].sum()
    for name in ("mod_mae", "int_mae", "shapley_mae"):
        assert beside.metrics[f"planted/{name}"] <= tolerance
    assert beside.metrics["planted/swap_gap"] < 0.15
    assert beside.metrics["planted/model_mae"] <= tolerance
    assert is_track_c(clips) and not is_track_c(clips.drop(columns=TRUTH[0]))


def test_what_word_and_cue_cause_is_the_rule_exactly(played):
    rule, material, _, _, states = played
    for clip, row in enumerate(material.rows.to_dict("records")):
        expected = RULES[rule].find_truth((row["word_state"], int(row["present"])))
        shares = [states.alone["text"][clip], states.alone["audio"][clip], states.together[clip]]
        assert np.array(shares) / states.total[clip] == pytest.approx(expected)


def test_parts_that_tell_are_the_word_and_the_stretch_with_the_cue(played):
    rule, material, game, clips, _ = played
    # The model looks for the one spelling and for the cue: where they are absent, no part has what it looks for.
    chosen = np.flatnonzero(material.rows["present"] & (material.rows["word_state"] == 1))[:5]
    parts = pd.concat([share_out(material, game, clip, DIVISION) for clip in chosen])
    assert tuple(parts) == COLUMNS and find_gap(clips, parts) < 1e-9
    words = parts[parts["modality"] == "text"].set_index("clip")["words"].groupby("clip").agg(" ".join)
    assert words.to_dict() == {material.rows["clip"][clip]: material.texts[clip] for clip in chosen}
    found = point(parts, clips)
    assert ("planted/point_text" in found) == (rule != "speech")
    assert ("planted/point_audio" in found) == (rule != "text")
    assert all(value >= 0.75 for name, value in found.items() if not name.endswith("chance"))
    assert all(0.19 < value < 0.34 for name, value in found.items() if name.endswith("chance"))


def test_scores_of_the_whole_tell_rules_apart(played):
    rule, _, _, clips, _ = played
    table = tabulate_scores(clips, 100)
    scores = table[table["emotion"] == "all"].set_index("score")["value"]
    assert scores["accuracy"] == 1
    for name, other in (("text", "speech"), ("audio", "text")):
        assert (scores[f"perceptual_{name}"] == 0) == (rule == other)
    assert (scores["emap_gap"] > 0.3) == (rule == "xor")  # the others can be told by a sum
    shares = tabulate_shares(clips, 100)
    whole = shares[shares["emotion"] == "all"].set_index("part")
    assert whole.loc["text", "share"] + whole.loc["audio", "share"] == pytest.approx(1)
    assert whole.loc[[*FOUND], "share"].sum() == pytest.approx(1) and whole.loc["total", "value_low"] > 0


def make_clips(total=2.0, **changes):
    count = 8
    frame = pd.DataFrame(
        {
            "dataset": "planted_c",
            "clip": [f"c{number}" for number in range(count)],
            "fold": "0",
            "person": np.arange(count) % 4,
            "true": "anger",
            "predicted": "anger",
            "emotion": "anger",
            "total": total,
            "text_alone": total,
            "audio_alone": 0.0,
            "together": 0.0,
            "swapped": 2 * total,
            "other": 0.5,
            **dict(zip(TRUTH, (1.0, 0.0, 0.0), strict=True)),
        },
        index=range(count),
    )
    return frame.assign(**changes)


def test_errors_are_those_of_shares():
    assert compare(make_clips(), 100, pd.DataFrame()).metrics["planted/mod_mae"] == 0
    wrong = compare(make_clips(text_alone=1.0, together=1.0), 100, pd.DataFrame()).metrics
    assert wrong["planted/mod_mae"] == pytest.approx(0.25) and wrong["planted/int_mae"] == pytest.approx(0.5)
    assert wrong["planted/shapley_mae"] == pytest.approx(0.25) and "planted/model_mae" not in wrong
    assert compare(make_clips(swapped=0.0), 100, pd.DataFrame()).metrics["planted/swap_gap"] == pytest.approx(1)
    nothing = compare(make_clips(predicted="neutral"), 100, pd.DataFrame())
    assert nothing.metrics == {"planted/clips": 0} and nothing.cells.empty
    half = make_clips()
    half.loc[:3, "predicted"] = "neutral"
    assert compare(half, 100, pd.DataFrame()).metrics["planted/clips"] == 4


def test_nothing_is_shared_out_where_there_may_be_nothing():
    ups = np.array([1.0, -1.0] * 4)
    clips = make_clips(total=ups, text=ups, audio=0.0)
    shares = tabulate_shares(clips, 200).set_index(["emotion", "part"])
    assert "share" not in shares or shares["share"].isna().all()
    assert shares.loc[("all", "text"), "value"] == 0
    game = Game(*np.zeros((4, 3)))
    assert (game.total == 0).all() and (game.together == 0).all()
