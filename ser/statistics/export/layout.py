"""The tables of ``statistics.json``: which there are, and what their columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ser.statistics.export.sheets import Column, Row, Sheet, guess_columns, make_column, make_sheet, name_sheet
from ser.statistics.records import to_json

#: Keys with tables of their own below; any other list of rows is laid out as it stands.
KNOWN = ("design", "method", "descriptives", "anova", "mixed", "means", "contrasts", "paired", "ranks", "checks")
WORDS = ("decision", "conclusion", "caveats", "methods", "environment", "diagnostics")
#: With fewer error degrees of freedom omega squared stands before eta squared, which is biased then.
FEW_DF = 50
NUMBERS = ("n", "n_rows", "n_units", "n_speakers", "n_seeds", "mean", "sd", "min", "max")
MEAN = ("mean", "se", "df", "ci_low", "ci_high", "estimable", "by", "model", "factor", "ci_adjust")
RESPONSE = ("response", "response_se", "response_low", "response_high", "response_averaged")


def lay_out(statistics: Mapping[str, Any]) -> list[Sheet]:
    """All tables that have rows, in the order a reader meets them."""
    known = to_json(dict(statistics))
    sheets = [
        *lay_out_descriptives(known.get("descriptives") or []),
        *lay_out_anova(known.get("anova") or []),
        *lay_out_mixed(list_fits(known)),
        *lay_out_means(known.get("means") or []),
        *lay_out_contrasts(known.get("contrasts") or []),
        *lay_out_paired(known.get("paired") or {}),
        *lay_out_ranks(known.get("ranks") or {}),
        *lay_out_checks(known.get("checks") or []),
        *lay_out_decision(known.get("decision") or []),
        *lay_out_others({key: value for key, value in known.items() if key not in (*KNOWN, *WORDS)}),
    ]
    return [sheet for sheet in sheets if sheet.rows and sheet.columns]


def list_fits(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The mixed models, the primary one first; ``mixed`` holds one or a list."""
    fits = statistics.get("mixed") or []
    return [fits] if isinstance(fits, Mapping) else list(fits)


def read_levels(design: Mapping[str, Any]) -> dict[str, list[str]]:
    """Levels of each factor, from ``{name: levels}`` or rows of ``name, levels``."""
    factors = design.get("factors") or {}
    if isinstance(factors, Mapping):
        return {str(name): [str(level) for level in levels] for name, levels in factors.items()}
    return {str(row["name"]): [str(level) for level in row["levels"]] for row in factors}


def name_fit(fit: Mapping[str, Any]) -> str:
    """A mixed model in words: its formula, how it was fitted."""
    family = "logit mixed model" if fit.get("family") == "binomial" else "mixed model"
    return f"{family} {fit.get('formula') or ''}".strip() + (f" ({fit['method']})" if fit.get("method") else "")


# ---- one function a key


def lay_out_descriptives(rows: Sequence[Row]) -> Iterator[Sheet]:
    """What each condition scored."""
    names = list(dict.fromkeys(name for row in rows for name in row if name not in NUMBERS))
    columns = [
        *(make_column(name, "text") for name in names),
        make_column("n", "count", "n", "n_rows"),
        make_column("models", "count", "n_units"),
        make_column("speakers", "count", "n_speakers"),
        make_column("seeds", "count", "n_seeds"),
        *(make_column(title, "estimate", title.lower()) for title in ("mean", "SD", "min", "max")),
    ]
    yield make_sheet("descriptives", "Mean and standard deviation of each condition", columns, rows, "design")


def lay_out_anova(tables: Sequence[Mapping[str, Any]]) -> Iterator[Sheet]:
    """One table for each type (and scope) of the analysis of variance."""
    taken: set[str] = set()
    for table in tables:
        scope = "" if table.get("scope") in (None, "full") else table["scope"]
        name = name_sheet("anova", f"type{table['type']}" if len(tables) > 1 else "", scope)
        while name in taken:
            name += "_more"
        taken.add(name)
        kind = {2: "II", 3: "III"}.get(table.get("type"), table.get("type"))  # type: ignore[call-overload]
        caption = f"Analysis of variance, Type {kind}: {table.get('formula') or ''}" + (f" ({scope})" if scope else "")
        yield make_sheet(name, caption, list_anova_columns(table["terms"]), table["terms"], "evidence")


def list_anova_columns(terms: Sequence[Row]) -> list[Column]:
    """Columns of an analysis of variance."""
    eta = [
        make_column("partial η²", "share", "partial_eta_sq"),
        make_column("90 % CI", "share_interval", "partial_eta_sq_ci", "partial_eta_sq"),
    ]
    omega = [make_column("partial ω²", "share", "omega_sq")]
    few = any((row.get("df_resid") or FEW_DF) < FEW_DF for row in terms)
    return [
        make_column("term", "text"),
        make_column("df", "df"),
        make_column("error df", "df", "df_resid"),
        make_column("sum of squares", "size", "sum_sq"),
        make_column("F", "stat"),
        make_column("p", "p"),
        make_column("p (BH)", "p", "p_bh", "p_adjusted"),
        *(omega + eta if few else eta + omega),
        make_column("p (HC3)", "p", "p_hc3"),
        make_column("p (permutation)", "p", "p_permutation"),
        make_column("sensitive", "text"),
    ]


def lay_out_mixed(fits: Sequence[Mapping[str, Any]]) -> Iterator[Sheet]:
    """Term tests, coefficients and standard deviations of each mixed model."""
    parts = {
        "tests": ("Tests of terms", list_test_columns, "evidence"),
        "ratio_tests": ("Likelihood-ratio tests", list_test_columns, "evidence"),
        "random": ("Standard deviations", list_random_columns, "evidence"),
        "fixed": ("Coefficients (differences to the first level of each factor)", list_fixed_columns, "appendix"),
    }
    for place, fit in enumerate(fits, start=1):
        stem = f"mixed_{place}" if place > 1 else "mixed"
        for key, (title, columns, part) in parts.items():
            rows = fit.get(key) or []
            yield make_sheet(f"{stem}_{key}", f"{title}: {name_fit(fit)}", columns(rows), rows, part)


def list_test_columns(_: Sequence[Row]) -> list[Column]:
    """Columns of term tests: F with Satterthwaite degrees of freedom, or chi-square."""
    return [
        make_column("term", "text"),
        make_column("df", "df"),
        make_column("error df", "df", "df_denom"),
        make_column("F", "stat"),
        make_column("χ²", "stat", "chi2"),
        make_column("p", "p"),
        make_column("p (BH)", "p", "p_bh", "p_adjusted"),
    ]


def list_random_columns(_: Sequence[Row]) -> list[Column]:
    """Columns of random effects."""
    return [
        make_column("group", "text"),
        make_column("term", "text"),
        make_column("SD", "estimate", "sd"),
        make_column("at its boundary", "text", "boundary"),
    ]


def list_fixed_columns(rows: Sequence[Row]) -> list[Column]:
    """Columns of coefficients."""
    return [
        make_column("term", "text"),
        make_column("estimate", "estimate"),
        make_column("SE", "estimate", "se"),
        make_column("df", "df"),
        make_column(_name_stat(rows), "stat", "stat"),
        make_column("p", "p"),
        make_column("95 % CI", "interval", "ci"),
    ]


def lay_out_means(rows: Sequence[Row]) -> Iterator[Sheet]:
    """Marginal means; the levels that a mean is averaged over are ``all``."""
    flat = [{**row.get("levels", {}), **(row.get("by") or {}), **row} for row in rows]
    names = [name for name in dict.fromkeys(key for row in flat for key in row) if name not in (*MEAN, *RESPONSE)]
    names = [name for name in names if name != "levels"]
    tidy = [{**dict.fromkeys(names, "all"), **row, "levels": None, "by": None} for row in flat]
    logit = any("response" in row for row in flat)
    columns = [
        *(make_column(name, "text") for name in names),
        make_column("logit" if logit else "mean", "estimate", "mean"),
        make_column("SE", "estimate", "se"),
        make_column("df", "df"),
        make_column("95 % CI", "interval", "ci"),
        make_column("probability", "share", "response"),
        make_column("95 % CI of it", "share_interval", "response"),
        make_column("averaged over random effects", "share", "response_averaged"),
    ]
    yield make_sheet("means", "Estimated marginal means", columns, tidy, "evidence")


def lay_out_contrasts(rows: Sequence[Row]) -> Iterator[Sheet]:
    """Differences of means."""
    methods = {row.get("adjust") for row in rows} - {None}
    kinds = {row.get("effect_kind") for row in rows} - {None}
    title = f"p ({next(iter(methods)).capitalize()})" if len(methods) == 1 else "adjusted p"
    effect = {"d": "d", "odds_ratio": "odds ratio"}.get(next(iter(kinds)), "effect size") if len(kinds) == 1 else ""
    columns = [
        make_column("model", "text", "analysis"),
        make_column("factor", "text"),
        make_column("contrast", "text"),
        make_column("within", "text", "by"),
        make_column("estimate", "estimate"),
        make_column("SE", "estimate", "se"),
        make_column("df", "df"),
        make_column(_name_stat(rows), "stat", "stat"),
        make_column("p", "p"),
        make_column(title, "p", "p_adjusted"),
        *([make_column("adjustment", "text", "adjust")] if len(methods) > 1 else []),
        make_column("95 % CI", "interval", "ci"),
        make_column(effect or "effect size", "stat", "effect_size"),
        make_column("verdict", "text", "label", "verdict"),
    ]
    yield make_sheet("contrasts", "Differences of marginal means", columns, rows, "evidence")


def lay_out_paired(paired: Mapping[str, Any]) -> Iterator[Sheet]:
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
        make_column("95 % CI", "share_interval", "ci"),
        make_column("p (McNemar, exact)", "p", "p_exact"),
        make_column("p (Holm)", "p", "p_holm"),
        make_column("mean over speakers", "share", "speaker_estimate"),
        make_column("95 % CI over speakers", "share_interval", "speaker_ci"),
        make_column("p (sign flips)", "p", "flip_p"),
    ]
    yield make_sheet("paired", "Models on the same utterances", columns, rows, "evidence")


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


def lay_out_checks(rows: Sequence[Row]) -> Iterator[Sheet]:
    """Checks of assumptions."""
    columns = [
        make_column("check", "text", "name", "check"),
        make_column("statistic", "size", "stat", "statistic"),
        make_column("df", "df"),
        make_column("error df", "df", "df_resid"),
        make_column("p", "p"),
        make_column("row", "count"),
        make_column("verdict", "text", "verdict", "words"),
    ]
    yield make_sheet("checks", "Checks of the models' assumptions", columns, rows, "checks")


def lay_out_decision(rows: Sequence[Row]) -> Iterator[Sheet]:
    """Which rules were applied, and what they gave."""
    columns = [make_column("rule", "text"), make_column("outcome", "text")]
    yield make_sheet("decision", "How the conclusion was reached", columns, rows, "appendix")


def lay_out_others(others: Mapping[str, Any]) -> Iterator[Sheet]:
    """Any other rows, at the top or one key below, with columns guessed from their values."""
    for key, value in others.items():
        inside = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, rows in inside:
            if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
                title = f"{key} {part}".strip().replace("_", " ")
                yield make_sheet(name_sheet(key, part), title.capitalize(), guess_columns(rows), rows, "evidence")


def _name_stat(rows: Sequence[Row]) -> str:
    """z where no row has degrees of freedom, else t."""
    return "z" if rows and all(row.get("df") is None for row in rows) else "t"
