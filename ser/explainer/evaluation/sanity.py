"""Whether an explanation depends on what the model learnt, and on the class it explains.

Parameter and label randomisation: Adebayo et al. (2018), Sanity checks for saliency maps, NeurIPS. Complexity before
and after it: Hedström et al. (2024), A fresh look at sanity checks for saliency maps, xAI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from ser.errors import InputError
from ser.explainer.attribution import Attribution
from ser.explainer.clip import Clip
from ser.explainer.evaluation.metrics import IDENTICAL
from ser.explainer.evaluation.probe import Probe
from ser.explainer.evaluation.randomise import list_levels, randomise
from ser.explainer.evaluation.similarity import compare_structure, correlate_ranks, measure_complexity
from ser.explainer.subject import Subject
from ser.progress import show_progress

#: An explainer, to be asked again: of a model and a clip.
Explain = Callable[[Subject, Clip], Attribution]
#: A score of a clip: its place among the clips, metric, value.
Score = tuple[int, str, float]


def score_sanity(
    subject: Subject,
    probes: Sequence[Probe],
    maps: Sequence[Attribution],
    explain: Explain,
    seed: int,
    label_run: Subject | None = None,
) -> Iterator[Score]:
    """Sanity scores of one explainer.

    Args:
        subject: the model.
        probes: the clips.
        maps: of the explainer, one a clip.
        explain: to run it again.
        seed: of weights and classes.
        label_run: a model of the same kind that was trained on permuted labels.
    """
    if subject.differentiable:
        yield from score_weights(subject, probes, maps, explain, seed)
    if label_run is not None:
        check_alike(subject, label_run)
        for place, (probe, before) in enumerate(zip(probes, maps, strict=True)):
            after = explain(label_run, probe.clip)
            yield place, "random_labels", abs(correlate(probe, before, after))
    yield from score_classes(subject, probes, maps, explain, seed)


def score_weights(
    subject: Subject, probes: Sequence[Probe], maps: Sequence[Attribution], explain: Explain, seed: int
) -> Iterator[Score]:
    """Maps of the model with random weights against its own: from the head down, then one part at a time.

    The headline is all weights at random.
    """
    levels = list_levels(subject)
    inputs = [probe.clip.inputs for probe in probes]
    with show_progress("explaining random weights", 2 * len(levels) - 1) as advance:
        for depth, level in enumerate(levels):
            changed = randomise(subject, levels[: depth + 1], levels[: depth + 1], inputs, seed)
            for place, name, value in compare_maps(changed, probes, maps, explain):
                yield place, f"{name}/to {level.name}", value
                if depth == len(levels) - 1:
                    yield place, name, value
            advance(1)
        for depth, level in enumerate(levels[1:], 1):
            changed = randomise(subject, [level], levels[: depth + 1], inputs, seed)
            for place, name, value in compare_maps(changed, probes, maps, explain):
                yield place, f"{name}/only {level.name}", value
            advance(1)


def compare_maps(
    changed: Subject, probes: Sequence[Probe], maps: Sequence[Attribution], explain: Explain
) -> Iterator[Score]:
    """Likeness of maps of a changed model to the original's."""
    for place, (probe, before) in enumerate(zip(probes, maps, strict=True)):
        after = explain(changed, probe.clip)
        if not np.isfinite(after.values).all():
            continue
        yield place, "random_weights", abs(correlate(probe, before, after))
        first, second = np.abs(probe.project(before)), np.abs(probe.project(after))
        yield place, "random_weights_absolute", abs(correlate_ranks(first, second))
        if before.values.ndim == 2 and before.values.shape == after.values.shape:
            yield place, "random_weights_ssim", compare_structure(before.values, after.values)
        complexity = measure_complexity(before.values)
        if complexity:
            yield place, "complexity_rise", measure_complexity(after.values) / complexity - 1


def score_classes(
    subject: Subject, probes: Sequence[Probe], maps: Sequence[Attribution], explain: Explain, seed: int
) -> Iterator[Score]:
    """Maps of the explained class against those of another class, drawn at random."""
    random = np.random.default_rng(seed)
    for place, (probe, before) in enumerate(zip(probes, maps, strict=True)):
        own, count = int(probe.clip.classes), len(subject.emotions)
        other = (own + int(random.integers(1, count))) % count
        after = explain(subject, replace(probe.clip, classes=torch.full_like(probe.clip.classes, other)))
        likeness = correlate(probe, before, after)
        yield place, "random_class", likeness
        yield place, "same_for_classes", float(likeness >= IDENTICAL)


def score_inputs(probe: Probe, values: np.ndarray, energy: np.ndarray) -> Iterator[tuple[str, float]]:
    """Likeness of a map [count] to the clip's energy [count], and to where that rises."""
    rises = np.diff(energy.reshape(-1, probe.cells.shape[-1]), axis=-1, prepend=0).clip(min=0).ravel()
    yield "like_energy", correlate_ranks(values, energy)
    yield "like_onsets", correlate_ranks(values, rises)


def correlate(probe: Probe, before: Attribution, after: Attribution) -> float:
    """Rank correlation of two maps of a clip on its cells."""
    return correlate_ranks(probe.project(before), probe.project(after))


def check_alike(subject: Subject, other: Subject) -> None:
    """Raise InputError for a model of other classes or other inputs."""
    if (subject.emotions, subject.rate, subject.spectral) != (other.emotions, other.rate, other.spectral):
        raise InputError(
            "the model trained on permuted labels has other emotions or inputs",
            expected=f"{', '.join(subject.emotions)} at {subject.rate} Hz",
            remedy="train it with the same configuration",
        )
