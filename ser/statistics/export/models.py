"""Tables of models: conditions, analysis of variance, mixed models, marginal means and their differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ser.statistics.export.sheets import Column, Row, Sheet, make_column, make_sheet, name_sheet

#: With fewer error degrees of freedom omega squared stands before eta squared, which is biased then.
FEW_DF = 50
#: Tables of more conditions stand in the appendix.
MOST_CONDITIONS = 30
NUMBERS = ("n", "n_rows", "n_units", "n_speakers", "n_seeds", "mean", "sd", "min", "max")
MEAN = ("mean", "se", "df", "ci_low", "ci_high", "estimable", "levels", "by", "factors")
RESPONSE = ("response", "response_se", "response_low", "response_high", "response_averaged")


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
    part = "design" if len(rows) <= MOST_CONDITIONS else "appendix"
    yield make_sheet("descriptives", "Mean and standard deviation of each condition", columns, rows, part)


def lay_out_anova(tables: Sequence[Mapping[str, Any]]) -> Iterator[Sheet]:
    """One table for each type (and scope) of the analysis of variance."""
    taken: set[str] = set()
    for table in tables:
        scope = "" if table.get("scope") in (None, "full") else table["scope"]
        name = name_sheet("anova", f"type{table['type']}" if len(tables) > 1 else "", scope)
        while name in taken:
            name += "_more"
        taken.add(name)
        kind = {2: "II", 3: "III"}.get(table["type"], table["type"])
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
        make_column("SS", "size", "sum_sq"),
        make_column("F", "stat"),
        make_column("p", "p"),
        make_column("p (BH)", "p", "p_bh", "p_adjusted"),
        *(omega + eta if few else eta + omega),
        make_column("p (HC3)", "p", "p_hc3"),
        make_column("p (perm.)", "p", "p_permutation"),
        make_column("sensitive", "text"),
    ]


def lay_out_mixed(fits: Sequence[Mapping[str, Any]]) -> Iterator[Sheet]:
    """Term tests, coefficients and standard deviations of each mixed model."""
    parts = {
        "tests": ("Tests of terms", list_test_columns, "evidence"),
        "ratio_tests": ("Likelihood-ratio tests (fits by maximum likelihood)", list_test_columns, "evidence"),
        "random": ("Standard deviations", list_random_columns, "evidence"),
        "fixed": ("Coefficients (differences to the first level of each factor)", list_fixed_columns, "appendix"),
    }
    for place, fit in enumerate(fits, start=1):
        stem = f"mixed_{place}" if place > 1 else "mixed"
        for key, (title, columns, part) in parts.items():
            rows = fit.get(key) or []
            yield make_sheet(
                f"{stem}_{key}",
                f"{title}: {name_fit(fit) if key != 'ratio_tests' else fit.get('formula')}",
                columns(rows),
                rows,
                part,
            )


def lay_out_sensitivity(models: Mapping[str, Any]) -> Iterator[Sheet]:
    """Term tests of second opinions."""
    for name, model in models.items():
        rows = model.get("tests") or []
        caption = f"Tests of terms in the model of {name}: {model.get('formula') or ''}"
        yield make_sheet(name_sheet("tests", name), caption, list_test_columns(rows), rows, "checks")


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


def lay_out_contrasts(statistics: Mapping[str, Any]) -> Iterator[Sheet]:
    """Differences of means in the primary model, with what was decided on them; then those in other models."""
    decided = {identify_contrast(row): row for row in statistics.get("decision") or [] if "decision" in row}
    rows = [{**row, **decided.get(identify_contrast(row), {})} for row in statistics.get("contrasts") or []]
    title, level = "Differences of marginal means", name_level(statistics)
    yield make_sheet("contrasts", title, list_contrast_columns(rows, level), rows, "evidence")
    for name, others in (statistics.get("sensitivity_contrasts") or {}).items():
        caption = f"{title} in the model of {name}"
        yield make_sheet(name_sheet("contrasts", name), caption, list_contrast_columns(others, level), others, "checks")


def list_contrast_columns(rows: Sequence[Row], level: str) -> list[Column]:
    """Columns of contrasts."""
    methods = {str(row["adjust"]) for row in rows if row.get("adjust")}
    kinds = {str(row["effect_kind"]) for row in rows if row.get("effect_kind")}
    adjusted = f"p ({next(iter(methods)).capitalize()})" if len(methods) == 1 else "adjusted p"
    effect = {"d": "d", "odds_ratio": "odds ratio"}.get(next(iter(kinds)), "effect") if len(kinds) == 1 else "effect"
    return [
        make_column("factor", "text"),
        make_column("contrast", "text"),
        make_column("within", "text", "by"),
        make_column("log odds" if kinds == {"odds_ratio"} else "estimate", "estimate", "estimate"),
        make_column("SE", "estimate", "se"),
        make_column("df", "df"),
        make_column(_name_stat(rows), "stat", "stat"),
        make_column("p", "p"),
        make_column(adjusted, "p", "p_adjusted"),
        *([make_column("adjustment", "text", "adjust")] if len(methods) > 1 else []),
        make_column(level, "interval", "ci"),
        make_column(effect, "stat", "effect_size"),
        make_column("verdict", "text", "label", "verdict"),
        make_column("decision", "text"),
    ]


def list_fits(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The mixed models, the primary one first; ``mixed`` holds one or a list."""
    fits = statistics.get("mixed") or []
    return [dict(fits)] if isinstance(fits, Mapping) else list(fits)


def name_level(statistics: Mapping[str, Any]) -> str:
    """Title of intervals whose level the settings decide: ``95 % CI``."""
    settings = statistics.get("settings") or {}
    return f"{100 * (1 - float(settings.get('alpha') or 0.05)):g} % CI"


def name_fit(fit: Mapping[str, Any]) -> str:
    """A mixed model in words: its formula, how it was fitted."""
    family = "logit mixed model" if fit.get("family") == "binomial" else "mixed model"
    return f"{family} {fit.get('formula') or ''}".strip() + (f" ({fit['method']})" if fit.get("method") else "")


def _name_stat(rows: Sequence[Row]) -> str:
    """z where no row has degrees of freedom, else t."""
    return "z" if rows and all(row.get("df") is None for row in rows) else "t"


def identify_contrast(row: Row) -> tuple[Any, Any, str]:
    """What tells contrasts apart."""
    return row.get("factor"), row.get("contrast"), str(row.get("by"))
