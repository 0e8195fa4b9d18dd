"""The core, asked about plain functions: what adds up has no interaction, what does not has nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ser.dataset.planted.truth import find_shapley
from ser.explainer.modality.draws import draw_others
from ser.explainer.modality.game import MODALITIES, play
from ser.explainer.modality.intervals import find_mean, find_ratio
from ser.explainer.modality.owen import draw_masks, find_owen
from ser.explainer.modality.parts import (
    cut_evenly,
    cut_text,
    cut_words,
    is_cut,
    mix_text,
    mix_wave,
)
from ser.explainer.modality.scores import find_hits, project
from ser.explainer.modality.table import find_margins, tabulate, weigh

COUNT, DRAWS = 12, 5


def draw(seed, count=COUNT, draws=DRAWS):
    rng = np.random.default_rng(seed)
    lengths, speakers = rng.uniform(1, 4, count), rng.integers(0, 3, count)
    audio = draw_others(lengths, speakers, draws, 1.25, rng).rows
    text = draw_others(np.ones(count), np.zeros(count, dtype=int), draws, 1.25, rng).rows
    return audio, text


def play_logits(logits, classes, seed=0):
    return play(find_margins(logits), classes, *draw(seed, len(classes)))


def add_parts(seed, count=COUNT, classes=3):
    """A model that adds a part of the sound and a part of the words."""
    rng = np.random.default_rng(seed)
    heard, read = rng.normal(size=(2, count, classes))
    return lambda audio, text: heard[audio] + read[text]


@given(st.integers(0, 10**6), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_values_sum_to_the_whole_and_are_shapley_values(seed, classes):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(COUNT, COUNT, classes))
    game = play_logits(logits, rng.integers(0, classes, COUNT), seed)
    assert game.shapley["text"] + game.shapley["audio"] == pytest.approx(game.total)
    assert game.alone["text"] + game.alone["audio"] + game.together == pytest.approx(game.total)
    expected = find_shapley(np.stack([game.none, game.text, game.audio, game.both]))
    assert np.stack([game.shapley["text"], game.shapley["audio"]]) == pytest.approx(expected)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_model_that_adds_has_no_interaction_and_no_emap_gap(seed):
    logits = tabulate(add_parts(seed, classes=2), COUNT)  # of two classes the margin is a difference of logits
    classes = np.random.default_rng(seed).integers(0, 2, COUNT)
    assert play_logits(logits, classes, seed).together == pytest.approx(np.zeros(COUNT), abs=1e-12)
    for kinds in (2, 5):
        logits = tabulate(add_parts(seed, classes=kinds), COUNT)
        classes = np.random.default_rng(seed).integers(0, kinds, COUNT)
        hits = find_hits(logits, classes)
        assert project(logits) == pytest.approx(logits[np.arange(COUNT), np.arange(COUNT)])
        assert (hits["both"] == hits["additive"]).all()


def test_what_only_both_tell_is_all_interaction_and_marginal_methods_see_nothing():
    bits = np.array([(word, voice) for word in (0, 1) for voice in (0, 1)] * 8)
    classes = bits[:, 0] ^ bits[:, 1]

    def score(audio, text):
        told = bits[audio, 1] ^ bits[text, 0]
        return 5.0 * np.stack([told == 0, told == 1], axis=1)

    logits = tabulate(score, len(bits))
    every = np.broadcast_to(np.arange(len(bits)), (len(bits), len(bits)))
    game = play(find_margins(logits), classes, every, every)
    for name in MODALITIES:
        assert game.alone[name] == pytest.approx(np.zeros(len(bits)), abs=1e-12)
    assert game.together == pytest.approx(game.total) and (game.total == 5.0).all()
    hits = find_hits(logits, classes)
    assert hits["both"].mean() == 1 and hits["text"].mean() == hits["audio"].mean() == pytest.approx(0.5)
    assert np.ptp(project(logits)) == pytest.approx(0)  # nothing is left of it


@pytest.mark.parametrize(("place", "name"), [(0, "text"), (1, "audio")])
def test_a_modality_that_is_not_used_has_no_share(place, name):
    classes = np.random.default_rng(place).integers(0, 3, COUNT)

    def score(audio, text):
        return 4.0 * np.eye(3)[classes[(text, audio)[place]]]

    logits = tabulate(score, COUNT)
    game, hits = play_logits(logits, classes), find_hits(logits, classes)
    (other,) = set(MODALITIES) - {name}
    assert game.shapley[name] == pytest.approx(game.total) and game.total.min() > 0
    assert game.alone[other] == pytest.approx(np.zeros(COUNT)) and game.together == pytest.approx(np.zeros(COUNT))
    assert (hits[other] == hits["both"]).all() and hits[name].mean() < 1


def test_margins_are_those_of_all_explainers():
    import torch

    from ser.explainer.base import margin

    logits = np.random.default_rng(0).normal(size=(4, 5, 3))
    for own in range(3):
        expected = margin(torch.from_numpy(logits).reshape(-1, 3), torch.full((20,), own)).numpy()
        assert find_margins(logits)[..., own].ravel() == pytest.approx(expected)


def test_what_counts_is_a_margin_or_its_probability():
    logits = np.random.default_rng(0).normal(size=(3, 3, 4))
    probability = weigh(logits, "probability")
    assert probability.sum(-1) == pytest.approx(np.ones((3, 3)))
    assert weigh(logits, "margin") == pytest.approx(np.log(probability / (1 - probability)))


def test_tables_are_the_same_in_pieces(monkeypatch):
    import ser.explainer.modality.table as module

    whole = tabulate(add_parts(1), COUNT)
    monkeypatch.setattr(module, "AT_ONCE", 7)
    assert (tabulate(add_parts(1), COUNT) == whole).all()
    assert whole[3, 5] == pytest.approx(add_parts(1)(np.array([3]), np.array([5]))[0])


# ---- draws


@given(st.integers(2, 30), st.integers(1, 5), st.integers(1, 20), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_draws_are_other_clips_of_the_same_speaker_and_length(count, speakers, draws, seed):
    rng = np.random.default_rng(seed)
    lengths, groups = rng.uniform(1, 3, count), rng.integers(0, speakers, count)
    found = draw_others(lengths, groups, draws, 1.25, rng)
    assert found.rows.shape == (count, draws)
    for clip, rows in enumerate(found.rows):
        others = [row for row in range(count) if row != clip and groups[row] == groups[clip]]
        assert clip not in rows and (set(rows) <= set(others) or not others)
        like = [row for row in others if max(lengths[row] / lengths[clip], lengths[clip] / lengths[row]) <= 1.25]
        if len(like) >= draws:
            assert set(rows) <= set(like) and len(set(rows)) == draws and not found.wide[clip]
        else:  # all that are like it, and the nearest
            assert set(like) <= set(rows) and found.wide[clip] == (not others or len(like) < min(draws, len(others)))


# ---- Owen values


@given(st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_values_of_parts_sum_to_the_share_of_their_modality(count, seed):
    rng = np.random.default_rng(seed)
    keep = draw_masks(count, 24, seed)
    without, with_other = rng.normal(size=(2, len(keep)))
    none, every = (~keep).all(1), keep.all(1)
    alone = without[every] - without[none]
    share = alone + (with_other[every] - with_other[none] - alone) / 2
    values = find_owen(keep, without, with_other)
    assert values.sum() == pytest.approx(share.item())
    assert find_owen(keep, without, with_other, 7.0).sum() == pytest.approx(7)
    assert np.ptp(find_owen(keep, without, with_other, 7.0) - values) == pytest.approx(0, abs=1e-9)


def test_values_of_parts_are_owen_values():
    """By all orders of players in which those of a modality stand together."""
    from itertools import permutations

    rng = np.random.default_rng(3)
    worth = {(audio, mask): rng.normal() for audio in (0, 1) for mask in range(8)}
    expected = np.zeros(3)
    for order in permutations(range(3)):
        for audio in (0, 1):  # audio comes after or before all words
            mask = 0
            for player in order:
                expected[player] += (worth[audio, mask | 1 << player] - worth[audio, mask]) / 12
                mask |= 1 << player
    keep = draw_masks(3, 8, 0)
    numbers = keep @ (1 << np.arange(3))
    games = [np.array([worth[audio, number] for number in numbers]) for audio in (0, 1)]
    assert find_owen(keep, *games) == pytest.approx(expected)


def test_parts_that_add_have_their_own_value():
    weights = np.array([0.5, -2.0, 0.0, 3.0, 1.0, 0.2, -1.0])
    keep = draw_masks(len(weights), 40, 0)  # a sample of all masks
    assert find_owen(keep, keep @ weights, 4 + keep @ weights) == pytest.approx(weights)


# ---- parts


@given(st.lists(st.sampled_from(["ja", "nein", "so"]), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_texts_are_mixed_from_nothing_to_everything(own, other):
    parts = cut_text(" ".join(own), 4)
    assert len(parts) == max(1, min(len(own), 4))
    assert mix_text(parts, " ".join(other), [True] * len(parts)) == " ".join(own)
    assert mix_text(parts, " ".join(other), [False] * len(parts)) == " ".join(other)
    mixed = mix_text(parts, " ".join(other), [True] + [False] * (len(parts) - 1))
    assert mixed.startswith(parts[0])


@given(arrays(np.float32, st.integers(50, 90), elements=st.floats(-1, 1, width=32)), st.integers(1, 5))
def test_waves_are_mixed_from_nothing_to_everything(own, count):
    other = np.full(70, 0.5, dtype=np.float32)
    edges = cut_evenly(count * 0.5, 0.5, 8)
    assert len(edges) == count + 1 and is_cut(edges)
    assert (mix_wave(own, other, edges, [True] * count, 1000) == own).all()
    assert (mix_wave(own, other, edges, [False] * count, 1000) == other).all()
    mixed = mix_wave(own, other, edges, [True] + [False] * (count - 1), 1000)
    assert len(mixed) == round(edges[1] * len(own)) + 70 - round(edges[1] * 70)
    assert (mixed[: round(edges[1] * len(own)) - 5] == own[: round(edges[1] * len(own)) - 5]).all()


def test_stretches_lie_around_words():
    times = [(0.1, 0.5), (0.7, 1.0), (1.0, 1.6), (1.8, 1.9)]
    assert cut_words(times, 2.0, 8) == pytest.approx([0, 0.3, 0.5, 0.85, 1])
    assert cut_words(times, 2.0, 2) == pytest.approx([0, 0.5, 1])
    assert not is_cut(cut_words([(0.1, 0.5), (2.5, 2.8), (3.0, 3.1)], 2.0, 8))  # words after the end


# ---- intervals


def test_intervals_are_those_of_speakers():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 5)
    values = rng.normal(size=20)[speakers] + 0.01 * rng.normal(size=100) + 3
    found = find_mean(values, speakers, 2000)
    assert found.value == pytest.approx(values.mean()) and found.low < found.value < found.high
    expected = 2 * 1.96 * values.reshape(20, 5).mean(1).std(ddof=1) / np.sqrt(20)
    assert found.high - found.low == pytest.approx(expected, rel=0.15)
    share = find_ratio(2 * values, values, speakers, 100)
    assert share.value == share.low == share.high == pytest.approx(2)
    assert np.isnan(find_mean(values, np.zeros(100), 100).low)
