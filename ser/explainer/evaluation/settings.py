"""How explanations are scored: the choices of ``conf/explain_eval``, and the order in which things are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.attribution import Attribution
from ser.explainer.bank import draw_masks
from ser.explainer.clip import Clip
from ser.explainer.evaluation.faithfulness import score_faithfulness
from ser.explainer.evaluation.localisation import score_localisation, score_truth
from ser.explainer.evaluation.metrics import BEST, RANDOM, choose_headline
from ser.explainer.evaluation.nulls import explain_one, make_nulls
from ser.explainer.evaluation.oracle import search_best
from ser.explainer.evaluation.probe import CellSize, Known, Probe
from ser.explainer.evaluation.reference import COLUMNS, Reference
from ser.explainer.evaluation.robustness import score_robustness
from ser.explainer.evaluation.sanity import Explain, score_inputs, score_sanity
from ser.explainer.fill import FILLS
from ser.explainer.subject import Subject
from ser.progress import show_progress

#: Parts of the evaluation.
SUITES = ("faithfulness", "robustness", "sanity", "localisation")


@dataclass(frozen=True)
class Evaluation:
    """The choice of ``conf/explain_eval``.

    Args:
        suites: which of :data:`SUITES` are scored.
        clips: how many the stage draws.
        again: how many of them, spread over speakers and emotions, are explained again for robustness and sanity.
        cells: on which maps are compared.
        steps: of equal area, of deletion and insertion.
        fills: what stands where something is removed.
        masks: in the bank.
        smallest_drop: distance in margin between a clip and its fill below which curves are not scored.
        label_run: a finished run like the explained one that was trained on permuted labels, which the stage opens; its
            maps are held against the explained run's.
        bootstrap: resamples of speakers for intervals.
        seed: of everything random.

    Raises:
        InputError: values that mean nothing.
    """

    suites: Sequence[str] = SUITES
    clips: int = 60
    again: int = 12
    cells: CellSize = field(default_factory=CellSize)
    steps: int = 20
    fills: Sequence[str] = ("noise", "mean_spec", "interp", "silence")
    masks: int = 256
    smallest_drop: float = 0.5
    label_run: str | None = None
    bootstrap: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_known("suites", self.suites, SUITES)
        check_known("fills", self.fills, FILLS)
        for name in ("clips", "again", "steps", "masks", "bootstrap"):
            if getattr(self, name) < 1:
                raise InputError(f"explain_eval.{name}={getattr(self, name)}", expected="1 or more")
        if self.smallest_drop <= 0:
            raise InputError(f"explain_eval.smallest_drop={self.smallest_drop}", expected="a margin above 0")

    def prepare(self, subject: Subject, clips: Sequence[Clip]) -> Reference:
        """All that does not depend on the explainers: margins of masked clips, the null explainers, the oracle.

        Args:
            subject: the model.
            clips: to be explained.
        """
        nulls = list(make_nulls(subject, clips, self.seed))
        known: dict[str, Known] = {}
        maps: dict[str, dict[str, np.ndarray]] = {}
        rows: list[Mapping[str, object]] = []
        forwards = 0
        attributions: dict[str, list[Attribution]] = {}
        with show_progress("preparing scores", len(clips)) as advance:
            for clip in clips:
                probe = self.start_probe(subject, clip)
                known[clip.clip] = self.measure(probe)
                for null in nulls:
                    made = explain_one(null.subject or subject, null.explainer, clip, null.name)
                    attributions.setdefault(null.name, []).append(made)
                    maps.setdefault(null.name, {})[clip.clip] = probe.project(made)
                own = {name: values[clip.clip] for name, values in maps.items() if name != BEST}
                maps.setdefault(BEST, {})[clip.clip] = known[clip.clip].best
                rows += self.score_clip(probe, known[clip.clip], own | {BEST: known[clip.clip].best}, own["energy"])
                forwards += probe.forwards
                advance(1)
        reference = Reference(known, maps, pd.DataFrame(columns=COLUMNS), forwards)
        for null in nulls:
            rows += self.score_again(subject, clips, attributions[null.name], null.explain, None)
            rows += self.score_places(clips, attributions[null.name])
            for clip, one in zip(clips, attributions[null.name], strict=True):
                rows += describe_cost(clip, one)
        rows += self.score_best_places(clips, attributions[RANDOM])
        return replace(reference, scores=tabulate(rows))

    def score(
        self,
        subject: Subject,
        clips: Sequence[Clip],
        attributions: Sequence[Attribution],
        explain: Explain | None,
        reference: Reference,
        label_run: Subject | None = None,
    ) -> pd.DataFrame:
        """Scores of explanations, a row a clip, method and metric.

        Explanations that must not be used are counted (``valid``) and not scored.

        Args:
            subject: the model.
            clips: those of the reference, or some of them.
            attributions: of these clips, by one or several methods.
            explain: runs the explainer again on a model and a clip, for robustness and sanity; those are left out
                without it, and the attributions must be of one method with it.
            reference: of :meth:`prepare`.
            label_run: a model of the same kind that was trained on permuted labels.
        """
        by_clip = {clip.clip: clip for clip in clips}
        rows = [row for one in attributions for row in describe_cost(by_clip[one.clip], one)]
        usable = [one for one in attributions if one.valid]
        methods = dict.fromkeys(one.method for one in usable)
        if explain is not None and len(methods) > 1:
            raise ValueError("one explainer at a time can be asked again")
        with show_progress("scoring", len(clips)) as advance:
            for clip in clips:
                known, probe = reference.find(clip.clip), self.start_probe(subject, clip)
                own = {one.method: probe.project(one) for one in usable if one.clip == clip.clip}
                energy = reference.maps["energy"][clip.clip]
                rows += self.score_clip(probe, known, own, energy) if own else []
                if "faithfulness" in self.suites:
                    rows += [make_row(clip, method, "scoring_forwards", probe.forwards / len(own)) for method in own]
                advance(1)
        rows += self.score_places(clips, usable)
        if explain is not None:
            rows += self.score_again(subject, clips, usable, explain, label_run)
        return tabulate(rows)

    def start_probe(self, subject: Subject, clip: Clip) -> Probe:
        """A clip with its cells; what is random about it depends on its name and the seed only."""
        digest = blake2b(f"{self.seed} {clip.clip}".encode(), digest_size=4).digest()
        return Probe(subject, clip, self.cells.cut(subject, clip), int.from_bytes(digest))

    def measure(self, probe: Probe) -> Known:
        """Margins of a clip, its fills and its bank, and the oracle's map."""
        keep = draw_masks(probe.cells.count, self.masks, probe.seed)
        fills = list(self.fills) if "faithfulness" in self.suites else []
        asked = choose_headline(fills)
        known = Known(
            probe.measure_whole(),
            {fill: probe.measure_empty(fill) for fill in fills},
            keep.cpu().numpy(),
            {fill: probe.ask(keep, fill) for fill in asked},
            np.zeros(probe.cells.count),
        )
        return replace(known, best=search_best(probe, known, self.steps, self.smallest_drop)) if fills else known

    def score_clip(
        self, probe: Probe, known: Known, maps: Mapping[str, np.ndarray], energy: np.ndarray
    ) -> Iterator[Mapping[str, object]]:
        """Rows of what needs no second explanation: faithfulness, and likeness to the input."""
        if "faithfulness" in self.suites:
            for method, metric, value in score_faithfulness(probe, known, maps, self.steps, self.smallest_drop):
                yield make_row(probe.clip, method, metric, value)
        if "sanity" in self.suites:
            for method, values in maps.items():
                for metric, value in score_inputs(probe, values, energy):
                    yield make_row(probe.clip, method, metric, value)

    def score_again(
        self,
        subject: Subject,
        clips: Sequence[Clip],
        maps: Sequence[Attribution],
        explain: Explain,
        label_run: Subject | None,
    ) -> Iterator[Mapping[str, object]]:
        """Rows of what explains some clips again: robustness and sanity."""
        chosen = {clip.clip: clip for clip in choose_spread(clips, self.again)}
        maps = [one for one in maps if one.clip in chosen]
        probes = [self.start_probe(subject, chosen[one.clip]) for one in maps]
        if "robustness" in self.suites:
            with show_progress("explaining changed clips", len(maps)) as advance:
                for probe, before in zip(probes, maps, strict=True):
                    for metric, value in score_robustness(subject, probe, before, explain, probe.seed):
                        yield make_row(probe.clip, before.method, metric, value)
                    advance(1)
        if "sanity" in self.suites and maps:
            for place, metric, value in score_sanity(subject, probes, maps, explain, self.seed, label_run):
                yield make_row(probes[place].clip, maps[place].method, metric, value)

    def score_places(self, clips: Sequence[Clip], maps: Sequence[Attribution]) -> Iterator[Mapping[str, object]]:
        """Rows of where relevance lies, of clips whose manifest says where the cue is."""
        by_clip = {clip.clip: clip for clip in clips}
        if "localisation" in self.suites:
            for one in maps:
                for metric, value in score_localisation(by_clip[one.clip], one):
                    yield make_row(by_clip[one.clip], one.method, metric, value)

    def score_best_places(self, clips: Sequence[Clip], maps: Sequence[Attribution]) -> Iterator[Mapping[str, object]]:
        """Rows of the truth itself, on the cells of some maps."""
        if "localisation" in self.suites:
            for clip, one in zip(clips, maps, strict=True):
                for metric, value in score_truth(clip, one):
                    yield make_row(clip, BEST, metric, value)


def choose_spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """Some of the clips, each the first of those whose speaker and emotion were chosen least often so far."""
    left = list(clips)
    chosen: list[Clip] = []
    times: Counter[str] = Counter()
    while left and len(chosen) < count:
        clip = min(left, key=lambda one: times[f"speaker {one.speaker}"] + times[f"emotion {one.true}"])
        left.remove(clip)
        chosen.append(clip)
        times.update((f"speaker {clip.speaker}", f"emotion {clip.true}"))
    return chosen


def check_known(key: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Raise InputError for a name that is none."""
    unknown = [value for value in values if value not in known]
    if unknown:
        raise InputError(f"explain_eval.{key}: {', '.join(unknown)}", expected=", ".join(known))


def describe_cost(clip: Clip, one: Attribution) -> Iterator[Mapping[str, object]]:
    """Rows of what an explanation cost, and whether it may be used."""
    for metric, value in (
        ("valid", float(one.valid)),
        ("seconds", one.cost.seconds),
        ("forwards", one.cost.forwards),
        ("backwards", one.cost.backwards),
    ):
        yield make_row(clip, one.method, metric, value)


def make_row(clip: Clip, method: str, metric: str, value: float) -> Mapping[str, object]:
    """A row of the scores."""
    return {
        "clip": clip.clip,
        "dataset": clip.dataset,
        "speaker": str(clip.speaker),
        "true": clip.true,
        "predicted": clip.predicted,
        "correct": clip.true == clip.predicted,
        "method": method,
        "metric": metric,
        "value": value,
    }


def tabulate(rows: list[Mapping[str, object]]) -> pd.DataFrame:
    """Scores as a frame; what is not defined is left out."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["value"] = table["value"].astype(float)
    table["correct"] = table["correct"].astype(bool)
    return table[np.isfinite(table["value"])].reset_index(drop=True)
