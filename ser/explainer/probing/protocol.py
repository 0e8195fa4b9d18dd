"""The published protocol of probing (Dixit et al., ICASSP 2024), as its code runs, and the same done without leaks.

Both see the same 45 against 45 clips and the same five divisions of the speakers. *Leaky*, as published: penalties are
tuned on unscaled vectors; dimensions are ranked by the model of the last division, whose training clips are test clips
of other divisions; n* is the best of all numbers on the test clips themselves; probes divide the clips at random, anew
for each functional, speakers mixed. *Corrected*: scaling, penalty, ranking and n* are found inside each division's
training speakers, and probes are trained and tested on the same divisions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, KFold, train_test_split

from ser.explainer.probing.curves import make_tested
from ser.explainer.probing.f1 import count_answers, find_f1
from ser.explainer.probing.folds import make_groups
from ser.explainer.probing.rank import sort_dimensions
from ser.explainer.probing.ridge import Division, Solver
from ser.explainer.probing.scores import HeldOut
from ser.head.data import find_spread

#: As published.
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
ALPHAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
REPEATS, SHARE, SEED = 5, 0.8, 42
ARMS = ("top", "rest", "bottom")


@dataclass(frozen=True, eq=False)
class Task:
    """One emotion against the others.

    Attributes:
        rows: row numbers of its clips [N].
        labels: 1 for the emotion, 0 for others [N].
        speakers: [N].
    """

    rows: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray

    def divide(self, rows: np.ndarray | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
        """Divisions of the speakers of some clips, by places in the task."""
        own = np.arange(len(self.rows)) if rows is None else rows
        splitter = GroupShuffleSplit(REPEATS, train_size=SHARE, random_state=SEED)
        return [(own[fit], own[check]) for fit, check in splitter.split(own, groups=self.speakers[own])]

    def count(self, test: np.ndarray, decisions: np.ndarray) -> np.ndarray:
        """Hits, false alarms, misses and clips of each speaker [S, 4] among the tested clips."""
        groups = make_groups(self.speakers)
        return count_answers(self.labels[test] == 1, decisions > 0, groups[test], int(groups.max()) + 1)


def draw_task(frame: pd.DataFrame, emotion: str, size: int, seed: int = SEED) -> Task:
    """As many clips of an emotion as of all others together, these in equal parts.

    Args:
        frame: of the manifest.
        emotion: which.
        size: clips of the emotion, at most.
        seed: of the draw.
    """
    others = sorted(set(frame["emotion"]) - {emotion})
    counts = frame["emotion"].value_counts()
    each = min(min(size, counts[emotion]) // len(others), *(counts[other] for other in others))
    rng = np.random.default_rng(seed)
    places = {name: np.flatnonzero((frame["emotion"] == name).to_numpy()) for name in (emotion, *others)}
    own = rng.choice(places[emotion], min(size, counts[emotion]), replace=False)
    rest = [rng.choice(places[name], each, replace=False) for name in others]
    rows = np.concatenate([own, *rest])
    labels = np.repeat([1, 0], [len(own), len(rows) - len(own)])
    return Task(rows, labels, frame["speaker"].to_numpy(dtype=str)[rows])


@dataclass(eq=False)
class Found:
    """What one arm says of a task.

    Attributes:
        curves: mean F1 by arm and number of dimensions.
        every: answers [S, D, 4] of each speaker in each division by all dimensions (:mod:`ser.explainer.probing.f1`).
        best: the same by n* dimensions.
        sizes: n* of the divisions, or the only one.
        importance: |coefficient| of each dimension [D].
        orders: dimensions by importance, of each division, or the only one.
    """

    curves: dict[tuple[str, int], float] = field(default_factory=dict)
    every: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 4)))
    best: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 4)))
    sizes: list[int] = field(default_factory=list)
    importance: np.ndarray = field(default_factory=lambda: np.zeros(0))
    orders: list[np.ndarray] = field(default_factory=list)


def pick(order: np.ndarray, size: int, arm: str) -> np.ndarray:
    """Dimensions of an arm."""
    return {"top": order[:size], "rest": order[size:], "bottom": order[len(order) - size :]}[arm]


def classify_leaky(values: np.ndarray, task: Task, sizes: Sequence[int]) -> Found:
    """The published classification: one ranking, by the last division's model, and the best number by test scores."""
    found = Found()
    found.every, weights = run_leaky(values, task)
    found.importance = np.abs(weights)
    order = sort_dimensions(found.importance)
    answers: dict[tuple[str, int], np.ndarray] = {}
    for size in sizes:
        for arm in ARMS if size < values.shape[1] else ARMS[:1]:
            answers[arm, size] = run_leaky(values[:, pick(order, size, arm)], task)[0]
    found.curves = average(answers)
    best = max(sizes, key=lambda size: found.curves["top", size])
    found.sizes, found.best, found.orders = [best], answers["top", best], [order]
    return found


def run_leaky(values: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Answers [S, D, 4] in all divisions, and the standardised weights of the last one's model."""
    answers, weights = [], np.zeros(values.shape[1])
    for train, test in task.divide():
        penalty = tune(values, task, train, scaled=False)
        decisions, weights = fit_logistic(values, task, train, test, penalty)
        answers.append(task.count(test, decisions))
    return np.stack(answers, axis=1), weights


def average(answers: dict[tuple[str, int], np.ndarray]) -> dict[tuple[str, int], float]:
    """Mean F1 over divisions by arm and number of dimensions, from answers [S, D, 4]."""
    return {key: float(find_f1(counts.sum(0))) for key, counts in answers.items()}


def classify_corrected(values: np.ndarray, task: Task, sizes: Sequence[int]) -> Found:
    """The same without leaks: each division ranks and chooses for itself, on its training speakers."""
    found, every, best, weighed = Found(), [], [], []
    answers: dict[tuple[str, int], list[np.ndarray]] = {}
    for train, test in task.divide():
        penalty = tune(values, task, train, scaled=True)
        decisions, weights = fit_logistic(values, task, train, test, penalty)
        every.append(task.count(test, decisions))
        order = sort_dimensions(np.abs(weights))
        chosen = choose_size(values, task, train, penalty, sizes)
        for size in sizes:
            for arm in ARMS if size < values.shape[1] else ARMS[:1]:
                decisions, _ = fit_logistic(values[:, pick(order, size, arm)], task, train, test, penalty)
                answers.setdefault((arm, size), []).append(task.count(test, decisions))
        best.append(answers["top", chosen][-1])
        found.sizes.append(chosen)
        found.orders.append(order)
        weighed.append(np.abs(weights))
    found.every, found.best = np.stack(every, axis=1), np.stack(best, axis=1)
    found.curves = average({key: np.stack(counts, axis=1) for key, counts in answers.items()})
    found.importance = np.mean(weighed, axis=0)
    return found


def choose_size(values: np.ndarray, task: Task, rows: np.ndarray, penalty: float, sizes: Sequence[int]) -> int:
    """The first number of top dimensions with the best F1 on inner divisions, each with its own ranking."""
    scores = np.zeros(len(sizes))
    for fit, check in task.divide(rows):
        _, weights = fit_logistic(values, task, fit, check, penalty)
        order = sort_dimensions(np.abs(weights))
        for place, size in enumerate(sizes):
            decisions, _ = fit_logistic(values[:, order[:size]], task, fit, check, penalty)
            scores[place] += find_f1(task.count(check, decisions).sum(0)[None])
    return sizes[int(scores.argmax())]


def tune(values: np.ndarray, task: Task, rows: np.ndarray, scaled: bool) -> float:
    """The penalty with the best accuracy on inner divisions of the speakers; unscaled, as published, or scaled."""
    scores = np.zeros(len(PENALTIES))
    for fit, check in task.divide(rows):
        for place, penalty in enumerate(PENALTIES):
            decisions, _ = fit_logistic(values, task, fit, check, penalty, scaled)
            scores[place] += ((decisions > 0) == task.labels[check]).mean()
    return PENALTIES[int(scores.argmax())]


def fit_logistic(
    values: np.ndarray, task: Task, fit: np.ndarray, check: np.ndarray, penalty: float, scaled: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Decision values of clips by a logistic regression on others, and its weights [D].

    With fewer clips than dimensions it is fitted on the clips' own span, to which an L2 penalty confines the weights.
    """
    train, test = values[task.rows[fit]].astype(np.float64), values[task.rows[check]].astype(np.float64)
    if scaled:
        mean, scale = find_spread(train)
        train, test = (train - mean) / scale, (test - mean) / scale
    labels, span = task.labels[fit], None
    if len(np.unique(labels)) < 2:
        return np.full(len(check), labels[0] - 0.5), np.zeros(values.shape[1])
    if train.shape[1] > len(train):
        span = np.linalg.qr(train.T)[0]
        train, test = train @ span, test @ span
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 100 iterations, as published
        model = LogisticRegression(C=penalty).fit(train, labels)
    weights = model.coef_[0] if span is None else span @ model.coef_[0]
    return model.decision_function(test), weights


def probe_leaky(values: np.ndarray, targets: np.ndarray, task: Task, dims: np.ndarray, seed: int) -> np.ndarray:
    """Pearson r [T] on 18 clips drawn at random, anew for each functional, speakers mixed."""
    own, found = values[task.rows][:, dims], np.zeros(targets.shape[1])
    for column in range(targets.shape[1]):
        state = int(np.random.default_rng([seed, column]).integers(2**31))
        train, test = train_test_split(np.arange(len(own)), test_size=1 - SHARE, random_state=state)
        inner = [(train[fit], train[check]) for fit, check in KFold(5).split(train)]
        target = targets[task.rows, column][:, None]
        predicted = Solver(own, Division("", train, test, inner), ALPHAS).solve(target).predicted[:, 0]
        found[column] = correlate(target[test, 0], predicted)
    return found


def probe_corrected(values: np.ndarray, targets: np.ndarray, task: Task, dims: Sequence[np.ndarray]) -> HeldOut:
    """Probes on the divisions of the speakers, each with the dimensions that it chose itself; rows of the task."""
    parts = []
    for number, ((train, test), own) in enumerate(zip(task.divide(), dims, strict=True)):
        solver = Solver(values[task.rows][:, own], Division(str(number), train, test, task.divide(train)), ALPHAS)
        parts.append(make_tested(solver, solver.solve(targets[task.rows]), targets[task.rows]))
    return HeldOut.join(parts)


def correlate(true: np.ndarray, predicted: np.ndarray) -> float:
    """Pearson's r; 0 where either is constant."""
    if true.std() == 0 or predicted.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(true, predicted)[0, 1])
