import numpy as np
import pytest

from ser.cue.heard import Heard
from ser.cue.meters.own import NumpyMeter
from ser.cue.windows import WindowLink, Windows, find_expert, score_windows
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import compose_sentence
from ser.dataset.planted.utterance import synthesise
from ser.errors import InputError

STEP = 0.02


def hear(number, emotion, relevance, offset=0.0):
    speaker = number % 4
    voice = draw_speaker(f"s{speaker}", ("female", "male")[speaker % 2], (0, speaker))
    spoken = synthesise(voice, compose_sentence("t", (0, number)), key=(0, number))
    cells = int(spoken.wave.size / spoken.rate / STEP)
    times = offset + (np.arange(cells) + 0.5) * STEP
    energy = np.square(spoken.wave[: cells * 320]).reshape(cells, 320).mean(axis=1)
    return Heard(
        f"c{number}", voice.name, emotion, spoken.wave, spoken.rate, emotion, offset, relevance(energy), times, STEP
    )


def test_scores_are_those_of_the_published_procedure():
    salient = np.array([[0, 1, 2, 3], [10, 11, 12, 13]])
    expert = np.array([[2, 3, 4, 5], [3, 4, 5, 6]])
    similarity, coverage, count, iou = score_windows(salient, expert, 20)
    assert (similarity, coverage, count) == (37.5, 37.5, 2)  # overlaps of 50 and 25 %
    assert iou == pytest.approx(2 / 11)


def test_expert_windows_skip_what_has_no_voice():
    track = np.full(100, np.nan)
    track[40:80] = np.arange(40)
    found = find_expert(track, np.ones(100, bool), high=False)
    known = np.isfinite(track[found])
    assert (known.sum(axis=1) >= 3).all()
    assert found.min() >= 33


def test_salient_windows_carry_the_files_time():
    def late(energy):
        mass = np.zeros_like(energy)
        mass[60:64] = 1.0  # 1.20 to 1.28 s after the first sample
        return mass

    linked = WindowLink(NumpyMeter(), Windows(k=1), draws=20).link([hear(1, "anger", late, offset=0.5)], [])
    start = float(linked.cues["windows"].iloc[0])
    assert 1.20 + 0.5 - 0.15 <= start <= 1.28 + 0.5


def test_a_map_of_energy_meets_the_loudest_windows():
    linked = WindowLink(NumpyMeter(), draws=100).link([hear(n, "anger", lambda energy: energy) for n in range(8)], [])
    loud = linked.contrasts.set_index(["subset", "emotion", "cue"]).loc[("all", "anger", "loudness")]
    assert loud["mean"] > 0.1
    assert loud["q"] < 0.05
    assert "more where loudness is highest" in linked.sentences["text"].iloc[0]


def test_a_random_map_has_no_advantage():
    rng = np.random.default_rng(0)
    clips = [hear(n, "anger" if n % 2 else "sadness", lambda e: rng.standard_normal(len(e))) for n in range(48)]
    linked = WindowLink(NumpyMeter(), draws=100).link(clips, [])
    advantage = linked.cues.groupby("clip")["advantage"].mean()
    assert abs(advantage.mean()) < 3 * advantage.std() / np.sqrt(len(advantage))
    assert abs(advantage.mean()) < 0.02
    assert 0.4 < linked.cues["p"].mean() < 0.65


def test_emotions_without_expectation_are_named():
    linked = WindowLink(NumpyMeter(), draws=5).link([hear(1, "disgust", lambda energy: energy)], [])
    assert linked.cues.empty
    assert "disgust: the published procedure expects nothing" in linked.notes[0]


def test_a_clip_of_too_few_windows_is_named():
    linked = WindowLink(NumpyMeter(), Windows(k=99), draws=5).link([hear(1, "anger", lambda energy: energy)], [])
    assert "shorter than 99 windows" in linked.notes[0]


@pytest.mark.parametrize(
    "wrong", [{"k": 0}, {"width": 0.001}, {"overlap": 1.0}, {"threshold": "median"}, {"rule": "median"}]
)
def test_settings_are_checked(wrong):
    with pytest.raises(InputError, match=f"cue_link.windows.{next(iter(wrong))}"):
        Windows(**wrong)


def test_overlapping_windows_and_other_rules():
    windows = Windows(width=0.1, overlap=0.5, rule="max", threshold="none")
    cut = windows.cut(np.ones(50, bool))
    assert cut.shape == (9, 10)
    assert cut[1, 0] == 5
    mass = np.zeros(50)
    mass[23] = 1
    assert set(windows.rank(mass, cut)[:2]) == {3, 4}
