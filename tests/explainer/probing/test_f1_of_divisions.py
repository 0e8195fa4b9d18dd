"""F1 over repeated divisions: what scikit-learn says of each, and intervals that draw whole speakers."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from ser.explainer.probing.f1 import find_f1, score_f1, score_gain
from ser.explainer.probing.protocol import Task


def make_task(speakers=6, takes=12, seed=0):
    rng = np.random.default_rng(seed)
    names = np.repeat([f"s{number}" for number in range(speakers)], takes)
    return Task(np.arange(len(names)), rng.integers(0, 2, len(names)), names), rng


def decide(task, rng, noise):
    return [task.labels[test] - 0.5 + noise * rng.normal(size=len(test)) for _, test in task.divide()]


def stack(task, decisions):
    return np.stack([task.count(test, own) for (_, test), own in zip(task.divide(), decisions, strict=True)], axis=1)


def test_the_mean_is_that_of_scikit_learn():
    task, rng = make_task()
    decisions = decide(task, rng, 1.0)
    counts = stack(task, decisions)
    tested = [test for _, test in task.divide()]
    scores = [f1_score(task.labels[test], own > 0) for test, own in zip(tested, decisions, strict=True)]
    value, low, high = score_f1(counts)
    assert value == pytest.approx(np.mean(scores)) and low < value < high
    assert counts[..., 3].sum(0).tolist() == [len(test) for test in tested]


def test_intervals_draw_whole_speakers():
    task, rng = make_task(speakers=10, takes=30)
    decisions = decide(task, rng, 1.0)
    drawn = []
    names = np.unique(np.concatenate([task.speakers[test] for _, test in task.divide()]))
    for _ in range(1000):
        weight = dict.fromkeys(names, 0)
        for name in rng.choice(names, len(names)):
            weight[name] += 1
        scores = []
        for (_, test), own in zip(task.divide(), decisions, strict=True):
            times = np.array([weight[name] for name in task.speakers[test]])
            if times.sum():
                scores.append(f1_score(task.labels[test], own > 0, sample_weight=times, zero_division=0.0))
        drawn.append(np.mean(scores) if scores else np.nan)
    _, low, high = score_f1(stack(task, decisions))
    assert [low, high] == pytest.approx(np.nanquantile(drawn, [0.025, 0.975]), abs=0.02)


def test_differences_are_paired():
    task, rng = make_task(speakers=10, takes=30)
    better, worse = (stack(task, decide(task, rng, noise)) for noise in (0.3, 3.0))
    gain, low, high = score_gain(better, worse)
    assert gain == pytest.approx(score_f1(better)[0] - score_f1(worse)[0]) and 0 < low < gain < high
    assert score_gain(better, better) == (0, 0, 0)


def test_one_speaker_has_no_interval_and_a_division_without_clips_no_part():
    counts = np.zeros((1, 2, 4), dtype=int)
    counts[0, 0] = [2, 1, 1, 5]
    value, low, high = score_f1(counts)
    assert value == pytest.approx(2 / 3) and np.isnan([low, high]).all()
    assert np.isnan(find_f1(np.zeros((3, 4))))
