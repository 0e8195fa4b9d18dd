"""Tables of comparisons without a model: pairs on the same clips, ranks, folds, a baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ser.statistics.export.sheets import Row, Sheet, make_column, make_sheet


def lay_out_paired(paired: Mapping[str, Any], level: str = "95 % CI") -> Iterator[Sheet]:
    """Two models on the same utterances."""
    rows = []
    for place, pair in enumerate(paired.get("pairs") or []):
        row = {**pair["mcnemar"], "n": pair.get("n"), "n_speakers": pair.get("n_speakers")}
        for name, test in (("speaker", pair.get("macro")), ("flip", pair.get("sign_flip"))):
            row |= {f"{name}_{key}": value for key, value in (test or {}).items() if key in ("estimate", "ci", "p")}
        holm = paired.get("p_exact_holm") or []
        rows.append({**row, "p_holm": holm[place] if place < len(holm) else None})
    columns = [
        make_column("first", "text", "a"),
        make_column("second", "text", "b"),
        make_column("only first right", "count", "n10"),
        make_column("only second right", "count", "n01"),
        make_column("difference", "share"),
        make_column(level, "share_interval", "ci"),
        make_column("p (McNemar, exact)", "p", "p_exact"),
        make_column("p (Holm)", "p", "p_holm"),
    ]
    yield make_sheet("paired", "Models on the same clips", columns, rows, "evidence")
    columns = [
        make_column("first", "text", "a"),
        make_column("second", "text", "b"),
        make_column("speakers", "count", "n_speakers"),
        make_column("mean difference", "share", "speaker_estimate"),
        make_column(f"{level} over speakers", "share_interval", "speaker_ci"),
        make_column("p (bootstrap)", "p", "speaker_p"),
        make_column("p (sign flips)", "p", "flip_p"),
    ]
    speakers = [row for row in rows if row.get("speaker_estimate") is not None]
    yield make_sheet("paired_speakers", "The same, with speakers as units", columns, speakers, "evidence")


def lay_out_ranks(ranks: Mapping[str, Any]) -> Iterator[Sheet]:
    """Mean ranks, the omnibus test, and pairs of models."""
    if not ranks:
        return
    mean = sorted((ranks.get("mean_rank") or {}).items(), key=lambda item: item[1])
    rows = [{"model": model, "rank": rank} for model, rank in mean]
    columns = [make_column("model", "text"), make_column("mean rank", "stat", "rank")]
    yield make_sheet("ranks", f"Mean ranks over {ranks.get('n_datasets')} data sets", columns, rows, "evidence")
    omnibus = [ranks["omnibus"]] if ranks.get("omnibus") else []
    columns = [
        make_column("χ² (Friedman)", "stat", "chisq"),
        make_column("df", "df"),
        make_column("p", "p"),
        make_column("F (Iman–Davenport)", "stat", "F"),
        make_column("df 1", "df", "df1"),
        make_column("df 2", "df", "df2"),
        make_column("p of F", "p", "p_F"),
        make_column("Kendall's W", "share", "kendall_w"),
    ]
    yield make_sheet("rank_omnibus", "Do the models differ at all?", columns, omnibus, "evidence")
    nemenyi = {(pair["a"], pair["b"]): pair["p"] for pair in ranks.get("nemenyi") or []}
    pairs = [{**pair, "p_nemenyi": nemenyi.get((pair["a"], pair["b"]))} for pair in ranks.get("wilcoxon") or []]
    columns = [
        make_column("first", "text", "a"),
        make_column("second", "text", "b"),
        make_column("mean difference", "share", "mean_difference"),
        make_column("V", "stat"),
        make_column("data sets", "count", "n_used"),
        make_column("p (Wilcoxon)", "p", "p"),
        make_column("p (Holm)", "p", "p_holm"),
        make_column("p (Nemenyi)", "p", "p_nemenyi"),
        make_column("rank biserial", "stat", "rank_biserial"),
        make_column("different", "text"),
    ]
    yield make_sheet("rank_pairs", "Pairs of models over data sets", columns, pairs, "evidence")


def lay_out_resampled(rows: Sequence[Row], level: str = "95 % CI") -> Iterator[Sheet]:
    """Models by the scores of folds that share training data."""
    flat = []
    for row in rows:
        tests = {
            f"{key}_{name}": value for key in ("corrected", "naive") for name, value in (row.get(key) or {}).items()
        }
        flat.append({**{key: value for key, value in row.items() if not isinstance(value, Mapping)}, **tests})
    columns = [
        make_column("first", "text", "a"),
        make_column("second", "text", "b"),
        make_column("folds", "count", "n"),
        make_column("test / train", "share", "test_train_ratio"),
        make_column("mean difference", "share", "mean_difference"),
        make_column("SE", "share", "corrected_se"),
        make_column("df", "df", "corrected_df"),
        make_column("t", "stat", "corrected_t"),
        make_column("p", "p", "corrected_p"),
        make_column(level, "share_interval", "corrected_ci"),
        make_column("p (uncorrected)", "p", "naive_p"),
    ]
    yield make_sheet(
        "resampled", "Models by the scores of folds, corrected for shared training data", columns, flat, "evidence"
    )


def lay_out_baseline(reports: Sequence[Row]) -> Iterator[Sheet]:
    """Every level against one, from runs as independent samples."""
    rows = [{"factor": report.get("factor"), **test} for report in reports for test in report.get("tests") or []]
    method = next((str(report.get("method")) for report in reports), "")
    columns = [
        make_column("factor", "text"),
        make_column("contrast", "text"),
        make_column("difference of means", "share", "estimate"),
        make_column("difference of medians", "share", "median_difference"),
        make_column("n", "count"),
        make_column("n of baseline", "count", "n_baseline"),
        make_column("statistic", "size", "stat"),
        make_column("df", "df"),
        make_column("p", "p"),
        make_column("adjusted p", "p", "p_adjusted"),
        make_column("share of wins", "share", "probability"),
    ]
    yield make_sheet("baseline", f"Levels against the baseline ({method})", columns, rows, "evidence")
