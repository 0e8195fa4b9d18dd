"""Which scores an explanation gets: what they are called, which way is better, what is no better than chance.

A part behind a slash tells variants of one score apart (``insertion_deletion/noise``); a name without one is the score
that stands for all of them in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Fills whose mean is the headline; silence is out of distribution and changes what normalisation sees.
HEADLINE_FILLS = ("noise", "mean_spec", "interp")
#: Null explainers, and the oracle.
RANDOM, BEST = "random", "best"
NULLS = (RANDOM, "energy", "vad", "untrained")
#: Of the mean absolute correlation of maps before and after randomisation; above, a map does not depend on the model.
SANE = 0.2
#: Maps of two classes that correlate so do not tell classes apart.
IDENTICAL = 0.999


def choose_headline(fills: Sequence[str]) -> list[str]:
    """Those of some fills that headlines are averaged over; all where there is none of them."""
    return [fill for fill in fills if fill in HEADLINE_FILLS] or list(fills)


@dataclass(frozen=True)
class Metric:
    """A column of the table.

    Attributes:
        name: as in the scores.
        title: as figures call it.
        better: 1 where more is better, -1 where less is, 0 where it is neither.
        limit: largest mean that passes, of sanity checks.
    """

    name: str
    title: str
    better: int
    limit: float | None = None


@dataclass(frozen=True)
class Bounds:
    """What a score of planted clips would be by chance, and at best.

    Attributes:
        chance: a number, or the metric that holds it for each method; with :data:`PERMUTED`, the score's own with
            importances in random order.
        ideal: a number, or whose value: :data:`BEST`.
    """

    chance: float | str
    ideal: float | str


#: What is appended to a score's name where importances were permuted.
PERMUTED = "_chance"
#: Scores that are held against planted truth.
PLANTED = {
    "loc_auroc": Bounds(0.5, 1.0),
    "loc_ap": Bounds("prevalence", 1.0),
    "point": Bounds("prevalence", 1.0),
    "enrichment": Bounds(1.0, BEST),
    "decoy": Bounds(1.0, 0.0),
    "causal_rho": Bounds(0.0, 1.0),
    "cue_rank": Bounds(PERMUTED, 1.0),
    "cue_sign": Bounds(PERMUTED, 1.0),
    "cue_mae": Bounds(PERMUTED, 0.0),
    "used_auroc": Bounds(0.5, 1.0),
    "shortcut_hit": Bounds(PERMUTED, 1.0),
    "reliance": Bounds(PERMUTED, 0.0),
}
#: Scores that the table and the figure show, in their order.
HEADLINES = (
    Metric("insertion_deletion", "insertion − deletion", 1),
    Metric("comprehensiveness", "comprehensiveness", 1),
    Metric("sufficiency", "sufficiency", -1),
    Metric("sensitivity_n", "sensitivity-n", 1),
    Metric("infidelity", "infidelity", -1),
    Metric("robustness", "robustness", 1),
    Metric("equivariance", "equivariance", 1),
    Metric("max_sensitivity", "max-sensitivity", -1),
    Metric("random_weights", "random weights: |ρ|", -1, SANE),
    Metric("random_weights_absolute", "random weights: |ρ| of sizes", -1, SANE),
    Metric("complexity_rise", "complexity rise", 1),
    Metric("random_labels", "random labels: |ρ|", -1, SANE),
    Metric("random_class", "other class: ρ", -1, IDENTICAL),
    Metric("like_energy", "likeness to energy", 0),
    Metric("like_onsets", "likeness to onsets", 0),
    Metric("loc_auroc", "localisation: AUROC", 1),
    Metric("loc_ap", "localisation: average precision", 1),
    Metric("point", "localisation: pointing game", 1),
    Metric("enrichment", "localisation: enrichment", 1),
    Metric("decoy", "decoy enrichment", -1),
    Metric("causal_rho", "ρ with what the cue causes", 1),
    Metric("cue_rank", "cues: ρ with Shapley values", 1),
    Metric("cue_sign", "cues: sign of Shapley values", 1),
    Metric("cue_mae", "cues: error of shares", -1),
    Metric("used_auroc", "cues: AUROC of those used", 1),
    Metric("shortcut_hit", "shortcut named first", 1),
    Metric("reliance", "reliance on what is not heard", -1),
    Metric("plausibility", "plausibility", 1),
    Metric("plausibility_z", "plausibility: z", 1),
    Metric("valid", "valid", 1),
    Metric("seconds", "s per clip", -1),
)
