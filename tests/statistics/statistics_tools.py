"""Results as ``statistics.json`` has them, made up by hand, and the rows to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

ARCHS, AUGS, SPEAKERS = ("cnn", "wav_2"), ("none", "noise"), tuple(f"0{place}" for place in range(6))
FORMULA = "uar ~ arch * aug + (1 | speaker) + (1 | speaker:arch)"


def make_rows(effect: float = 0.05) -> pd.DataFrame:
    """Two models of each condition on six speakers; ``cnn`` is worse by ``effect`` on average."""
    rng = np.random.default_rng(0)
    rows = [
        {"arch": arch, "aug": aug, "model": f"{arch}-{aug}-{seed}", "speaker": speaker}
        for arch in ARCHS
        for aug in AUGS
        for seed in (1, 2)
        for speaker in SPEAKERS
    ]
    frame = pd.DataFrame(rows)
    level = np.where(frame["arch"] == "cnn", 0.7, 0.7 + effect) + 0.02 * frame["speaker"].astype(int)
    frame["fitted"] = level
    frame["residual"] = rng.normal(0, 0.02, len(frame))
    return frame.assign(uar=frame["fitted"] + frame["residual"])


def make_contrast(factor: str, contrast: str, estimate: float, by: dict[str, str] | None = None, **more: Any):
    row = {"factor": factor, "contrast": contrast, "by": by, "estimate": estimate, "se": 0.0123, "df": 9.97}
    row |= {"stat": estimate / 0.0123, "p": 0.0004, "p_adjusted": 0.034, "adjust": "holm", "ci_adjust": "none"}
    limits = {"ci_low": estimate - 0.027, "ci_high": estimate + 0.027, "ci90_low": None, "ci90_high": None}
    return row | limits | {"effect_size": 1.2, "effect_kind": "d", "estimable": True, "verdict": "inconclusive"} | more


def make_mean(levels: dict[str, str], mean: float) -> dict[str, Any]:
    row = {"factors": ":".join(levels), "levels": levels, "mean": mean, "se": 0.011, "df": 12.0}
    return row | {"ci_low": mean - 0.02, "ci_high": mean + 0.02, "estimable": True}


def make_term(term: str, **more: Any) -> dict[str, Any]:
    row = {"term": term, "role": "factor", "df": 1, "df_resid": 20, "sum_sq": 0.0123, "F": 12.345, "p": 0.00012}
    row |= {"p_adjusted": 0.024, "partial_eta_sq": 0.31, "partial_eta_sq_low": 0.1, "partial_eta_sq_high": 0.5}
    return row | {"omega_sq": 0.28, "p_hc3": 0.02, "p_permutation": float("nan"), "sensitive": False} | more


def make_statistics() -> dict[str, Any]:
    """A mixed model of two factors, with everything that a stage may add."""
    cells = [{"arch": arch, "aug": aug} for arch in ARCHS for aug in AUGS]
    first = make_contrast("arch", "cnn - wav_2", -0.05)
    random = [("speaker", 0.03, False), ("speaker:arch", 0.0, True), ("residual", 0.04, False)]
    return {
        "design": {
            "response": "uar",
            "rows": "cells",
            "n_rows": 48,
            "factors": [{"name": "arch", "levels": list(ARCHS)}, {"name": "aug", "levels": list(AUGS)}],
            "unit": "model",
            "n_units": 8,
            "random": ["speaker", "speaker:arch"],
            "balanced": True,
            "speakers": {"emodb": 6},
        },
        "method": {"method": "mixed", "reason": "predictions of <6> speakers & more"},
        "settings": {"sesoi": 0.02, "alpha": 0.05},
        "descriptives": [{**cell, "n_rows": 12, "mean": 0.75, "sd": 0.031} for cell in cells],
        "anova": [{"type": kind, "formula": "uar ~ arch * aug", "terms": [make_term("arch")]} for kind in (2, 3)],
        "mixed": {
            "formula": FORMULA,
            "family": "gaussian",
            "method": "REML",
            "loglik": 61.63,
            "converged": True,
            "singular": True,
            "groups": {"speaker": 6},
            "fixed": [{"term": "(Intercept)", "estimate": 0.7, "se": 0.01, "df": 8.0, "stat": 70.0, "p": 0.0}],
            "random": [{"group": g, "term": "(Intercept)", "sd": sd, "boundary": zero} for g, sd, zero in random],
            "tests": [{"term": "arch", "df": 1, "df_denom": 9.0000001, "F": 16.5, "p": 0.0028}],
            "notes": ["variance estimated at 0"],
        },
        "means": [
            *(make_mean({"arch": arch}, 0.7) for arch in ARCHS),
            *(make_mean(cell, 0.7 + 0.01 * place) for place, cell in enumerate(cells)),
        ],
        "contrasts": [first, make_contrast("aug", "noise - none", 0.01, {"arch": "cnn"})],
        "sensitivity": {"runs": {"formula": "uar ~ arch", "tests": [{"term": "arch", "df": 1, "F": 3.0, "p": 0.09}]}},
        "sensitivity_contrasts": {
            "runs": [make_contrast("arch", "cnn - wav_2", -0.04)],
            "clips": [make_contrast("arch", "cnn - wav_2", -0.7, effect_kind="odds_ratio", df=float("inf"))],
        },
        "checks": [{"check": "shapiro_residuals", "statistic": 0.98, "df": None, "p": 0.21, "row": None}],
        "power": {
            "effect": 0.02,
            "power": 0.8,
            "table": [{"speakers": 0, "seeds": 5, "se": 0.013, "df": 8.0, "mde": 0.0416}],
            "seeds_needed": {"10": None},
            "speakers_needed": {"5": 1200},
        },
        "decision": [{"factor": "arch", "contrast": "cnn - wav_2", "by": None, "decision": "sensitive"}],
        "conclusion": ["cnn is <worse> than wav_2 & by 5 points.", "This holds for speakers like these."],
        "caveats": ["six speakers are few"],
        "methods": "A linear mixed model was fitted.",
        "environment": {"glmm": "0.6.2"},
    }


def make_ranks() -> dict[str, Any]:
    models = {"wavlm": 1.5, "cnn": 3.0, "hubert": 1.75, "whisper": 3.75}
    return {
        "design": {"response": "uar", "factors": {"model": list(models)}},
        "ranks": {
            "mean_rank": models,
            "n_datasets": 12,
            "cd_05": 1.35,
            "groups": [["wavlm", "hubert"], ["cnn", "whisper"]],
            "omnibus": {
                "chisq": 14.0,
                "df": 3,
                "p": 0.003,
                "F": 7.0,
                "df1": 3,
                "df2": 33,
                "p_F": 0.001,
                "kendall_w": 0.4,
            },
            "nemenyi": [{"a": "wavlm", "b": "cnn", "difference": -1.5, "p": 0.02}],
            "wilcoxon": [
                {"a": "wavlm", "b": "cnn", "V": 70.0, "n_used": 12, "p": 0.01, "p_holm": 0.06, "different": False}
            ],
        },
    }
