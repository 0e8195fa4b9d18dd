"""How often `ser stats` finds a difference where there is none, and how often it finds one that is there.

Every replication is a sweep made up in memory: models that differ in nothing, each trained with several seeds and
tested on speakers, with answers drawn from a logit model in which speakers, utterances, speakers' reactions to a
condition and trained models differ by chance. It is analysed as `ser stats sweep=... statistics=auto` would: described,
a method chosen, the mixed model on cells of speaker and run fitted (both starts), its terms tested. Beside it stand
two analyses between groups: of all answers as if they were independent, and of the runs' scores.

The rows of a setting are the same in every replication but for the scores, so the design is described once and gets new
scores; in the first few replications everything is done from the predictions on, and must give the same p values.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats
from simulated_sweeps import CLIPS, Setting, find_difference, make_source, simulate_answers
from timing import print_table

from ser.errors import InputError
from ser.statistics.analyse import analyse, choose
from ser.statistics.design import Design, describe_design
from ser.statistics.fitting import fit_model, test_model
from ser.statistics.settings import Settings
from ser.statistics.tables import CORPUS, tabulate_source

ALPHA = 0.05
#: Of the tests of terms in mixed models, unless the user says otherwise.
DEFAULT_TYPE = 2
#: What the default route must keep to at a nominal level of 5 %.
BAND = (0.02, 0.065)
#: Replications from which on a share is precise enough to hold it against that.
ENOUGH = 2000
#: Replications of every setting that are analysed from the predictions on, to check the shorter way.
CHECKED = 2
CHUNK = 250
METHODS = ("default route", "all answers", "runs between groups")


SETTINGS = (
    Setting("6 speakers", (6,)),
    Setting("10 speakers"),
    Setting("24 speakers", (24,)),
    Setting("10 speakers, all react alike", reaction=0.0),
    Setting("10 speakers, all runs alike", run=0.0),
    Setting("2 x 2 conditions, 10 speakers", factors=("backbone", "head")),
    Setting("leave one of 10 speakers out", by_fold=0.15, folds=10),
    Setting("5 folds of 2 speakers", run=0.0, by_fold=0.15, folds=5),
    Setting("test corpora of 10 and 6 speakers", (10, 6), by_corpus=0.10),
    Setting("5 folds, models of a seed alike", by_fold=0.10, folds=5),
)
SHIFTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass
class Result:
    """P values of one setting: method -> term -> one a replication (NaN: no test), and flags of the default route."""

    p: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {name: {} for name in METHODS})
    singular: list[bool] = field(default_factory=list)
    unfit: list[bool] = field(default_factory=list)

    def add(self, method: str, found: dict[str, float]) -> None:
        """P values of one replication."""
        for term, p in found.items():
            self.p[method].setdefault(term, []).append(p)

    def join(self, other: Result) -> None:
        """Further replications."""
        for method, terms in other.p.items():
            for term, values in terms.items():
                self.p[method].setdefault(term, []).extend(values)
        self.singular += other.singular
        self.unfit += other.unfit


# ---- the default route


def describe_sweep(setting: Setting, answers: np.ndarray) -> Design:
    """The design of a sweep, from its predictions on; it must call for the mixed model."""
    design = describe_design(tabulate_source(make_source(setting, answers)))
    choice = choose(design, Settings())
    if choice.method != "mixed" or design.rows != "cells":
        raise RuntimeError(f"{setting.name}: {choice.method} on {design.rows}; {choice.reason}")
    return design


def find_places(design: Design) -> tuple[np.ndarray, ...]:
    """Condition, run and speaker of every row of a design, to take its scores from simulated ones."""
    runs = design.frame["run_id"].str.partition("-")
    speakers = design.frame["speaker"].str.rpartition("/")[2]
    return runs[0].to_numpy(int), runs[2].to_numpy(int), speakers.to_numpy(int)


def give_scores(design: Design, answers: np.ndarray, places: tuple[np.ndarray, ...]) -> Design:
    """The design with other scores: speakers have equally many clips of every emotion, so that UAR is accuracy."""
    return replace(design, frame=design.frame.assign(**{design.response: answers.mean(3)[places]}))


def analyse_by_default(design: Design, result: Result) -> dict[str, float]:
    """P values of the terms of the default model."""
    fit = fit_model(design, Settings())
    result.singular.append(fit.singular)
    result.unfit.append(not fit.converged or bool(fit.dropped))
    return {str(row["term"]): float(row["p"]) for row in test_model(fit, DEFAULT_TYPE)[0]}


def check_shortcut(setting: Setting, answers: np.ndarray, found: dict[str, float]) -> None:
    """Stop if the whole analysis, from the predictions on, has other p values (but for where the search stops)."""
    tests = analyse(describe_sweep(setting, answers), Settings()).results["mixed"]["tests"]
    whole = {row["term"]: row["p"] for row in tests}
    if whole.keys() != found.keys() or not np.allclose(list(whole.values()), list(found.values()), rtol=1e-4):
        raise RuntimeError(f"{setting.name}: {whole} by the whole analysis, {found} by the shorter way")


# ---- what is done instead


def analyse_between(setting: Setting, answers: np.ndarray, terms: Sequence[str]) -> dict[str, dict[str, float]]:
    """P values of ANOVA between groups: all answers as independent rows, and the runs' scores on every corpus."""
    share = answers.mean(3)
    corpora = range(len(setting.speakers))
    scores = np.stack([share[:, :, setting.corpora == corpus].mean(2) for corpus in corpora], axis=2)
    rows, runs = list_codes(setting, terms, setting.corpora), list_codes(setting, terms, np.array(corpora))
    return {
        "all answers": test_between(rows, share, CLIPS, CLIPS * float((share * (1 - share)).sum()), terms),
        "runs between groups": test_between(runs, scores, 1, 0.0, terms),
    }


def list_codes(setting: Setting, terms: Sequence[str], corpora: np.ndarray) -> np.ndarray:
    """Sum-to-zero columns of intercept and terms for every condition, run and column of a score [C, R, K, P]."""
    shape = (len(setting.conditions), setting.runs, len(corpora))
    codes = {CORPUS: np.broadcast_to(np.where(corpora == 1, 1.0, -1.0), shape)}
    for place, name in enumerate(setting.factors):
        level = np.array([1.0 if levels[place] == "b" else -1.0 for levels in setting.conditions])
        codes[name] = np.broadcast_to(level[:, None, None], shape)
    columns = [np.prod([codes[name] for name in term.split(":")], axis=0) for term in terms]
    return np.stack([np.ones(shape), *columns], axis=-1)


def test_between(
    codes: np.ndarray, scores: np.ndarray, weight: int, within: float, terms: Sequence[str]
) -> dict[str, float]:
    """P value of every term by least squares on scores that are means of ``weight`` rows with sum of squares within."""
    x, y = codes.reshape(-1, codes.shape[-1]), scores.ravel()
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    df = weight * len(y) - len(beta)
    variance = (weight * float(((y - x @ beta) ** 2).sum()) + within) / df
    t = beta / np.sqrt(variance / weight * np.diag(inverse))
    return dict(zip(terms, map(float, 2 * stats.t.sf(np.abs(t[1:]), df)), strict=True))


# ---- many of them


def run_chunk(setting: Setting, seeds: Sequence[int], replications: Sequence[int]) -> Result:
    """Replications of a setting; each has random numbers of its own, whatever the chunks."""
    result = Result()
    answers = simulate_answers(setting, np.random.default_rng([*seeds, replications[0]]))
    design = describe_sweep(setting, answers)
    places = find_places(design)
    for number in replications:
        answers = simulate_answers(setting, np.random.default_rng([*seeds, number]))
        try:
            found = analyse_by_default(give_scores(design, answers, places), result)
        except InputError as error:
            raise RuntimeError(f"{setting.name}, replication {number}: {error}") from error
        if number < CHECKED:
            check_shortcut(setting, answers, found)
        result.add("default route", found)
        for method, values in analyse_between(setting, answers, list(found)).items():
            result.add(method, values)
    return result


def run_settings(settings: Mapping[int, Setting], replications: int, seed: int, jobs: int) -> Iterable[Result]:
    """One result a setting, as they are ready; the number of a setting is part of the seed of its random numbers."""
    starts = range(0, replications, CHUNK)
    chunks = [range(start, min(start + CHUNK, replications)) for start in starts]
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [
            [pool.submit(run_chunk, setting, [seed, place], chunk) for chunk in chunks]
            for place, setting in settings.items()
        ]
        for parts in waiting:
            result = parts[0].result()
            for part in parts[1:]:
                result.join(part.result())
            yield result


# ---- what is printed


def count_rejections(values: Sequence[float]) -> tuple[float, float]:
    """Share of p values below the level, and its Monte-Carlo standard error; a missing test rejects nothing."""
    share = float(np.mean(np.array(values) < ALPHA))
    return share, float(np.sqrt(share * (1 - share) / len(values)))


def tabulate_errors(setting: Setting, result: Result) -> list[list[str]]:
    """Rows of the table on error rates, one a term."""
    rows = []
    for term, values in result.p["default route"].items():
        share, error = count_rejections(values)
        kept = ("kept" if BAND[0] <= share <= BAND[1] else "LEFT") if len(values) >= ENOUGH else "too few"
        others = [f"{count_rejections(result.p[name][term])[0]:.3f}" for name in METHODS[1:]]
        flags = [f"{np.mean(flag):.0%}" for flag in (result.singular, result.unfit)]
        rows.append([setting.name, term, f"{share:.4f} ({error:.4f})", kept, *others, *flags])
    return rows


def show_errors(settings: Mapping[int, Setting], replications: int, seed: int, jobs: int) -> bool:
    """Print how often each null is rejected; whether the default route keeps to the band everywhere."""
    print(f"Share of p < {ALPHA} without any difference, {replications} sweeps a setting (Monte-Carlo standard error);")
    print(f"the default route must stay within {BAND[0]} and {BAND[1]}.\n")
    rows = []
    for setting, result in zip(settings.values(), run_settings(settings, replications, seed, jobs), strict=True):
        rows += tabulate_errors(setting, result)
        print(
            f"{setting.name}: {'; '.join(f'{row[1]} {row[2]}' for row in rows if row[0] == setting.name)}", flush=True
        )
    print()
    print_table(["null sweep", "term", METHODS[0], "band", *METHODS[1:], "variance at 0", "not as designed"], rows)
    return all(row[3] != "LEFT" for row in rows)


def show_power(base: Setting, replications: int, seed: int, jobs: int) -> None:
    """Print how often differences are found by their size."""
    print(f"\nPower: share of p < {ALPHA} by size of the difference; {base.name}, {base.runs} runs a condition,")
    print(f"{replications} sweeps each. Only an analysis that keeps its level above has a power to read.\n")
    settings = {place: replace(base, shift=shift) for place, shift in enumerate(SHIFTS)}
    rows = []
    for setting, result in zip(settings.values(), run_settings(settings, replications, seed + 1, jobs), strict=True):
        shares = [count_rejections(result.p[name][setting.factors[0]])[0] for name in METHODS]
        rows.append(
            [f"{setting.shift:.1f}", f"{100 * find_difference(setting):.1f}", *(f"{one:.3f}" for one in shares)]
        )
    print_table(["logit", "points", *METHODS], rows)


def main() -> int:
    """Print both tables; 1 if the default route leaves the band."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000, help="sweeps a null setting, 0: none (%(default)s)")
    parser.add_argument(
        "--power", type=int, default=500, help="sweeps a point of the power curve, 0: none (%(default)s)"
    )
    parser.add_argument(
        "--only", default="", help="settings with this in their name: " + "; ".join(s.name for s in SETTINGS)
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--random-seed", type=int, default=0, help="of the simulation (%(default)s)")
    options = parser.parse_args()
    began = time.perf_counter()
    kept = True
    if options.replications:
        settings = {place: setting for place, setting in enumerate(SETTINGS) if options.only in setting.name}
        kept = show_errors(settings, options.replications, options.random_seed, options.jobs)
    if options.power:
        show_power(SETTINGS[1], options.power, options.random_seed, options.jobs)
    print(f"\n{time.perf_counter() - began:.0f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
