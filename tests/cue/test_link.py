"""The cue linker on planted clips: one cue in one place, maps that find it and maps that do not."""

from dataclasses import replace

import numpy as np
import pytest

from ser.cue.cues import CUE_NAMES
from ser.cue.heard import Heard, NoLink, Recording
from ser.cue.link import CueLink
from ser.cue.meters.own import NumpyMeter
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import compose_sentence
from ser.dataset.planted.utterance import synthesise
from ser.errors import InputError

SPEAKERS = 5
STEP = 0.02


def speak(speaker, number, doses, key=0):
    voice = draw_speaker(f"s{speaker}", ("female", "male")[speaker % 2], (0, speaker))
    return synthesise(voice, choose(speaker, number), doses, key=(key, speaker, number))


def choose(speaker, number):
    """A sentence of the clip's own, so that no place is special for what is said there."""
    return compose_sentence("t", (0, 10 * speaker + number))


def hear(speaker, number, emotion, predicted, relevance, loud=9.0):
    """A clip two of whose syllables are louder; ``relevance`` from its times and their span."""
    count = len(choose(speaker, number).syllables)
    first = (speaker + 2 * number) % (count - 2)
    doses = np.where(np.isin(np.arange(count), (first, first + 1)), loud, 0.0)
    spoken = speak(speaker, number, {"loudness": doses})
    span = float(spoken.timeline.vowel[first]), float(spoken.timeline.end[first + 1])
    times = (np.arange(int(spoken.wave.size / spoken.rate / STEP)) + 0.5) * STEP
    return Heard(
        f"{emotion}{speaker}{number}", f"s{speaker}", emotion, spoken.wave, spoken.rate, predicted,
        0.0, relevance(times, span), times, STEP,
    )  # fmt: skip


def point(times, span):
    return ((times > span[0]) & (times < span[1])).astype(float)


def wander(times, span):
    """Knows nothing of the span: a smooth map, the same for nobody."""
    rng = np.random.default_rng(round(1e6 * span[0]))
    return np.convolve(rng.standard_normal(len(times)), np.hanning(12), "same")


@pytest.fixture(scope="module")
def references():
    return [
        Recording(f"n{speaker}{number}{key}", f"s{speaker}", "neutral", speak(speaker, number, {}, key).wave, 16000)
        for speaker in range(SPEAKERS)
        for number in range(3)
        for key in (1,)
    ]


@pytest.fixture(scope="module")
def meter():
    return NumpyMeter()


def link(meter, references, relevance, **settings):
    clips = [
        hear(speaker, number, emotion, "sadness" if (emotion, number) == ("anger", 2) else emotion, relevance, loud)
        for speaker in range(SPEAKERS)
        for number in range(3)
        for emotion, loud in (("anger", 9.0), ("sadness", -9.0))
    ]
    return CueLink(meter, **({"shifts": 100} | settings)).link(clips, references)


@pytest.fixture(scope="module")
def pointed(meter, references):
    return link(meter, references, point)


@pytest.fixture(scope="module")
def wandered(meter, references):
    return link(meter, references, wander)


def take(linked, kind, subset="all", quantile=0.5):
    table = linked.contrasts
    own = table[(table["kind"] == kind) & (table["subset"] == subset) & (table["quantile"] == quantile)]
    return own.set_index(["emotion", "cue"])


def test_a_map_on_the_planted_place_finds_the_planted_cue(pointed):
    for kind in ("neutral", "rest", "shift"):
        found = take(pointed, kind)
        assert found.loc[("anger", "loudness"), "mean"] > 0.5
        assert found.loc[("sadness", "loudness"), "mean"] < -0.5
        assert (found.loc[[("anger", "loudness"), ("sadness", "loudness")], "q"] < 0.05).all(), kind
        others = found.drop(index=[(emotion, "loudness") for emotion in ("anger", "sadness")])
        assert (others["q"] < 0.05).mean() < 0.2


def test_a_map_of_nothing_finds_nothing_in_its_places(wandered):
    for kind in ("rest", "shift"):
        assert (take(wandered, kind)["q"] < 0.05).mean() < 0.06


def test_p_of_shifts_is_even_where_a_map_knows_nothing(wandered):
    p = wandered.cues.loc[wandered.cues["quantile"] == 0.5, "p_shift"].dropna()
    assert 0.005 < (p < 0.05).mean() < 0.12
    assert 0.35 < p.mean() < 0.65


def test_plausibility_beats_chance_only_for_the_map_that_knows(pointed, wandered):
    def judged(linked, kind):
        table = linked.plausibility
        return table[(table["kind"] == kind) & (table["subset"] == "all") & (table["emotion"] == "")].iloc[0]

    assert judged(pointed, "shift")["agreement"] > 0.05
    assert judged(pointed, "neutral")["p_shift"] < 0.05
    assert abs(judged(wandered, "shift")["agreement"]) < 0.05
    assert judged(wandered, "neutral")["p_shift"] > 0.05


def test_errors_are_told_apart_from_hits(pointed):
    hits, errors, both = (take(pointed, "neutral", subset) for subset in ("correct", "wrong", "difference"))
    key = ("anger", "loudness")
    assert (hits.loc[key, "clips"], errors.loc[key, "clips"]) == (2 * SPEAKERS, SPEAKERS)
    assert both.loc[key, "mean"] == pytest.approx(hits.loc[key, "mean"] - errors.loc[key, "mean"])
    assert both.loc[key, "low"] <= both.loc[key, "mean"] <= both.loc[key, "high"]
    followed = pointed.plausibility[pointed.plausibility["kind"] == "errors"].iloc[0]
    assert followed["clips"] == SPEAKERS
    assert followed["true"] > followed["predicted"]  # angry clips are loud there, whatever they were taken for
    assert followed["difference"] < 0


def test_sentences_say_what_is_so(pointed):
    told = pointed.sentences.set_index(["scope", "name"])["text"]
    assert told["emotion", "anger"].startswith("anger: louder (+")
    assert "; expected" in told["emotion", "anger"]
    assert "softer (−" in told["emotion", "sadness"]
    assert len(told["clip"]) == 2 * 3 * SPEAKERS
    assert told["clip", "anger02"].startswith("anger heard as sadness: ")


def test_tables_have_every_cell(pointed):
    assert len(pointed.cues) == 2 * 3 * SPEAKERS * 3 * len(CUE_NAMES)
    assert len(pointed.contrasts) == 3 * 3 * 4 * 2 * len(CUE_NAMES)
    share = pointed.cues.groupby("quantile")["share"].mean()
    assert share[0.2] < share[0.5] < share[0.8]


def test_the_same_seed_gives_the_same_numbers(meter, references):
    clips = [hear(speaker, 0, "anger", "anger", point) for speaker in (0, 1)]
    once, again = (CueLink(meter, shifts=30, seed=4).link(clips, references) for _ in range(2))
    assert once.cues.equals(again.cues)
    assert once.contrasts.equals(again.contrasts)


def test_zeros_put_around_a_clip_change_nothing_it_says(meter, references):
    clip = hear(0, 0, "anger", "anger", point)
    padded = replace(clip, waveform=np.pad(clip.waveform, (3200, 4800)), offset=-0.2)
    plain, other = (CueLink(meter, shifts=50).link([one], references).cues for one in (clip, padded))
    for column in ("value", "neutral"):
        near = np.isclose(plain[column], other[column], rtol=0.05, atol=0.1) | plain[column].isna()
        assert near.mean() > 0.9, column


def test_who_has_no_neutral_clips_is_compared_with_all_of_his(meter, references):
    clip = hear(0, 0, "anger", "anger", point)
    renamed = [replace(one, emotion="happiness") for one in references]
    found = CueLink(meter, shifts=20).link([clip], renamed)
    assert "speaker s0: 0 neutral clips; compared with all 3 clips" in found.notes[0]
    alone = CueLink(meter, shifts=20).link([clip], [])
    assert "no clip to compare with" in alone.notes[0]
    assert alone.cues["neutral"].isna().all()
    assert alone.cues["shift"].notna().any()


def test_a_clip_is_never_its_own_reference(meter, references):
    clip = hear(0, 0, "neutral", "neutral", point)
    found = CueLink(meter, shifts=20).link([clip], [*references, clip])
    assert (found.cues["references"] == 3).all()


def test_a_map_without_positive_relevance_is_left_out_and_named(meter, references):
    clip = hear(0, 0, "anger", "anger", lambda times, span: -np.ones_like(times))
    found = CueLink(meter).link([clip], references)
    assert found.cues.empty
    assert "no positive relevance" in found.notes[-1]


def test_settings_are_checked(meter):
    with pytest.raises(InputError, match="headline"):
        CueLink(meter, quantiles=(0.2, 0.8))
    with pytest.raises(InputError, match="shares"):
        CueLink(meter, quantiles=(0.5, 1.5))


def test_no_link_says_nothing(references):
    assert NoLink().link([], references).cues.empty
