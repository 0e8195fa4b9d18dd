import numpy as np
import pytest

from ser.cue.counterfactual import Counterfactual, GeneratedVoice, average_curve, measure_responses, summarise
from ser.cue.cues import CUE_NAMES, measure_cues
from ser.cue.meters.own import NumpyMeter
from ser.dataset.planted.channel import Channel
from ser.dataset.planted.clip import Script, Span
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import compose_sentence
from ser.errors import InputError

CHANNEL = Channel(snr_db=45.0, gain_db=-3.0, shelf_db=0.0)


def generate(speaker, number=0, doses=None, spans=()):
    voice = draw_speaker(f"s{speaker}", ("female", "male")[speaker % 2], (0, speaker))
    script = Script(voice, compose_sentence("t", (0, number)), (0, speaker, number), CHANNEL, doses or {}, spans)
    return GeneratedVoice(f"c{speaker}{number}", "anger", script)


def score_level(waves):
    """A listener who hears the level in dB, half of it."""
    return np.array([0.5 * 10 * np.log10(np.mean(wave**2)) for wave in waves])


@pytest.fixture(scope="module")
def clips():
    return [generate(speaker, number) for speaker in range(4) for number in range(2)]


def test_a_listener_to_level_follows_loudness_and_not_f0(clips):
    doses = {"loudness": [-6, -3, 3, 6], "f0_level": [-2, 2]}
    found = summarise(measure_responses(clips, score_level, doses)).set_index("cue")
    assert found.loc["loudness", "slope"] == pytest.approx(0.5, abs=0.02)
    assert found.loc["loudness", "low"] < 0.5 < found.loc["loudness", "high"] + 0.02
    assert found.loc["loudness", "rho"] == pytest.approx(1.0)
    assert found.loc["loudness", "q"] < 1e-4
    assert found.loc["loudness", "span"] == pytest.approx(6.0, abs=0.2)
    assert abs(found.loc["f0_level", "slope"]) < 0.1
    assert (found["clips"] == 8).all()
    assert (found["speakers"] == 4).all()


def test_a_score_of_several_classes_has_a_row_for_each(clips):
    def score(waves):
        return np.stack([score_level(waves), -score_level(waves)], axis=1)

    frame = measure_responses(clips[:2], score, {"loudness": [3]}, ["anger", "sadness"])
    table = summarise(frame).set_index("target")
    assert table.loc["anger", "slope"] == pytest.approx(-table.loc["sadness", "slope"])
    curve = average_curve(frame)
    assert set(curve["dose"]) == {0.0, 3.0}
    assert (curve.loc[curve["dose"] == 0, "change"] == 0).all()
    with pytest.raises(InputError, match="scores of shape"):
        measure_responses(clips[:1], score, {"loudness": [3]}, ["anger"])


def test_a_dose_comes_on_top_of_the_clips_own():
    louder = generate(0, doses={"loudness": 6.0})
    assert np.allclose(louder.say("loudness", -6.0), generate(0).say("loudness", 0.0), atol=2e-2)
    local = generate(0, spans=(Span("loudness", 6.0, 1, 3),))
    level = score_level([local.say("loudness", 3.0), local.say("loudness", 0.0)])
    assert level[0] - level[1] == pytest.approx(1.5, abs=0.1)


def test_doses_beyond_the_generators_range_are_left_out():
    loud = generate(0, doses={"loudness": 10.0})
    frame = measure_responses([loud, generate(1)], score_level, {"loudness": [-3, 6]})
    assert sorted(frame.loc[frame["clip"] == "c00", "dose"]) == [-3.0, 0.0]
    assert sorted(frame.loc[frame["clip"] == "c10", "dose"]) == [-3.0, 0.0, 6.0]
    with pytest.raises(InputError, match="'pitch' does not exist"):
        measure_responses([loud], score_level, {"pitch": [1]})


def test_the_choice_needs_doses(clips):
    assert Counterfactual({"loudness": [3]}).explain(clips[:2], score_level)["slope"].iloc[0] == pytest.approx(
        0.5, abs=0.05
    )
    for wrong in ({}, {"loudness": [0]}, {"loudness": []}):
        with pytest.raises(InputError, match="without a dose"):
            Counterfactual(wrong)


def test_the_planted_cue_moves_and_the_meter_sees_it(clips):
    meter = NumpyMeter()
    place = CUE_NAMES.index("f0_level")
    changed, plain = (measure_cues(meter.measure(clips[0].say("f0_level", dose), 16000))[0] for dose in (3.0, 0.0))
    assert changed[place] - plain[place] == pytest.approx(3.0, abs=0.2)
