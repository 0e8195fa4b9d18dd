"""From contrasts to decisions, by one rule for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ser.statistics.analyse import Analysis
from ser.statistics.families import is_below
from ser.statistics.fitting import list_tests

#: A second opinion must point the same way with a p below this.
SECOND_ALPHA = 0.10
#: What a decision means, in the words of a conclusion; {sesoi} is the smallest difference of interest.
MEANINGS = {
    "supported": "a difference that the data support",
    "small": "a difference, but smaller than the {sesoi} that would matter",
    "sensitive": "a difference that other analyses of the same data do not share",
    "equivalent": "no difference as large as {sesoi}",
    "inconclusive": "neither a difference nor its absence was shown",
    "not estimable": "not to be estimated, because combinations of levels have no rows",
}

Rows = list[dict[str, Any]]


def decide(analysis: Analysis) -> Rows:
    """One decision a contrast.

    ``supported``: adjusted p below alpha, an estimate that reaches the smallest effect of interest, and second opinions
    of the same sign with p < .10. ``sensitive``: a second opinion disagrees. ``small``: different, but by less than
    matters. ``equivalent``: the 90 % interval lies within what does not matter. ``inconclusive``: none of these.
    """
    lost = not (analysis.results.get("mixed") or {"converged": True})["converged"]
    flipped = {row["term"] for row in list_tests(analysis.results) if row.get("sensitive")}
    rows = []
    for row in analysis.results.get("contrasts", []):
        place = {key: row[key] for key in ("factor", "contrast", "by")}
        disagreeing = []
        if is_below(row["p_adjusted"], analysis.settings.alpha):
            disagreeing = [name for name, others in analysis.others.items() if not agrees(row, others)]
            disagreeing += ["permutation or HC3 F"] if row["factor"] in flipped and row["by"] is None else []
        word = name_decision(row, disagreeing, analysis.settings.alpha, analysis.sesoi)
        word = "inconclusive" if lost else word  # a model that did not converge decides nothing
        rows.append({**place, "decision": word, "disagreeing": disagreeing})
    return rows


def name_decision(row: Mapping[str, Any], disagreeing: Sequence[str], alpha: float, sesoi: float | None) -> str:
    """The word for a contrast."""
    if not row["estimable"]:
        return "not estimable"
    if row.get("verdict") == "equivalent":
        return "equivalent"
    if not is_below(row["p_adjusted"], alpha):
        return "inconclusive"
    if disagreeing:
        return "sensitive"
    # Only differences in the unit of the score can be held against the smallest one of interest.
    own_unit = row["effect_kind"] != "odds_ratio"
    return "small" if sesoi is not None and own_unit and abs(row["estimate"]) < sesoi else "supported"


def agrees(row: Mapping[str, Any], others: Rows) -> bool:
    """Whether a second opinion has the same sign and p < .10; one that does not know the contrast has no say."""
    keys = ("factor", "contrast", "by")
    same = next((other for other in others if all(other[key] == row[key] for key in keys)), None)
    if same is None or same["p"] is None or same["p"] != same["p"]:
        return True
    return same["estimate"] * row["estimate"] > 0 and same["p"] < SECOND_ALPHA
