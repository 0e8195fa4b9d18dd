"""Which differences between explainers other speakers would show again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import pandas as pd

from ser.explainer.evaluation.metrics import BEST, HEADLINES
from ser.statistics.adjust import adjust_p
from ser.statistics.ranks import test_signed_ranks

COLUMNS = ("metric", "a", "b", "difference", "median_difference", "rank_biserial", "p", "p_holm", "clips", "speakers")


def compare(scores: pd.DataFrame, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of each pair of explainers over speakers' means, by metric.

    Pairs are compared on the clips that both are scored on. Holm's adjustment is over the pairs of a metric. With S
    speakers no p is below 2 / 2^S: fewer than six can show nothing at 5 %.

    Args:
        scores: a row a clip, method and metric; those of nulls may be among them, the oracle's are left out.
        metrics: to compare; by default those of the table.

    Returns:
        A row a pair: ``difference`` is the mean over speakers of a's mean minus b's.
    """
    wanted = [metric.name for metric in HEADLINES] if metrics is None else list(metrics)
    rows = scores[scores["metric"].isin(wanted) & (scores["method"] != BEST)]
    tables = [
        pd.DataFrame(list(compare_pairs(own)), columns=COLUMNS).assign(metric=metric)
        for metric, own in rows.groupby("metric", sort=False)
    ]
    tables = [table.assign(p_holm=adjust_p(table["p"].to_numpy(float), "holm")) for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def compare_pairs(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """One test for each pair of methods in rows of one metric."""
    wide = rows.pivot_table(index=["dataset", "speaker", "clip"], columns="method", values="value", sort=False)
    for a, b in combinations(wide.columns, 2):
        both = (wide[a] - wide[b]).dropna()
        differences = both.groupby(level=["dataset", "speaker"]).mean().to_numpy()
        if len(differences) < 2:
            continue
        test = test_signed_ranks(differences, (str(a), str(b)))
        yield {
            "a": test.a,
            "b": test.b,
            "difference": test.mean_difference,
            "median_difference": test.median_difference,
            "rank_biserial": test.rank_biserial,
            "p": test.p,
            "clips": len(both),
            "speakers": len(differences),
        }
