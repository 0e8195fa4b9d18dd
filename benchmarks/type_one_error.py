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
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, combinations, product

import numpy as np
import pandas as pd
from scipy import stats
from timing import print_table

from ser.errors import InputError
from ser.statistics.analyse import fit_model
from ser.statistics.choose import choose_method
from ser.statistics.design import Design, describe_design
from ser.statistics.settings import Settings
from ser.statistics.sources import Job, Source
from ser.statistics.tables import CORPUS, tabulate_source

ALPHA = 0.05
#: What the default route must keep to at a nominal level of 5 %.
BAND = (0.02, 0.065)
#: Logit of the share of correct answers of a median speaker on a median utterance.
BASE = 0.85
SPEAKER_SD, UTTERANCE_SD = 0.5, 1.0
EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])
CLIPS = 40
#: Replications of every setting that are analysed from the predictions on, to check the shorter way.
CHECKED = 2
CHUNK = 250
METHODS = ("default route", "all answers", "runs between groups")


@dataclass(frozen=True)
class Setting:
    """A sweep of two-level factors, and by how much things differ by chance (SDs on the logit scale).

    Attributes:
        name: in the table.
        speakers: test speakers of every test corpus.
        run: of trained runs; by_fold and by_corpus: of a run's models of single folds, and from corpus to corpus.
        reaction: of speakers' reactions to every factor and combination of factors.
        factors: what is varied.
        runs: seeds a condition.
        folds: folds of a run, each with as many of the speakers.
        shift: by which the second level of the first factor is better.
    """

    name: str
    speakers: tuple[int, ...] = (10,)
    run: float = 0.15
    reaction: float = 0.25
    by_fold: float = 0.0
    by_corpus: float = 0.0
    factors: tuple[str, ...] = ("head",)
    runs: int = 5
    folds: int = 1
    shift: float = 0.0

    @property
    def conditions(self) -> list[tuple[str, ...]]:
        """Levels of the factors, all combinations."""
        return list(product("ab", repeat=len(self.factors)))

    @property
    def corpora(self) -> np.ndarray:
        """Corpus of every speaker."""
        return np.repeat(np.arange(len(self.speakers)), self.speakers)


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


# ---- a sweep


def simulate_answers(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """Answers right (1) or wrong (0) of every condition, run, speaker and clip [C, R, S, CLIPS]."""
    conditions, corpora = setting.conditions, setting.corpora
    count, speakers = len(conditions), len(corpora)
    logit = BASE + rng.normal(0, SPEAKER_SD, (1, 1, speakers, 1)) + rng.normal(0, UTTERANCE_SD, (1, 1, speakers, CLIPS))
    for names in list_subsets(setting.factors):
        columns = [setting.factors.index(name) for name in names]
        group = pd.factorize(pd.Series(["".join(levels[place] for place in columns) for levels in conditions]))[0]
        logit = logit + rng.normal(0, setting.reaction, (count, 1, speakers, 1))[group]
    logit = logit + rng.normal(0, setting.run, (count, setting.runs, 1, 1))
    fold = np.arange(speakers) % setting.folds
    logit = logit + rng.normal(0, setting.by_fold, (count, setting.runs, setting.folds, 1))[:, :, fold]
    logit = logit + rng.normal(0, setting.by_corpus, (count, setting.runs, len(setting.speakers), 1))[:, :, corpora]
    better = np.array([levels[0] == "b" for levels in conditions])
    logit = logit + setting.shift * better[:, None, None, None]
    return (rng.random(logit.shape) < 1 / (1 + np.exp(-logit))).astype(int)


def list_subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """All combinations of one or more names."""
    return list(chain.from_iterable(combinations(names, size + 1) for size in range(len(names))))


def make_source(setting: Setting, answers: np.ndarray) -> Source:
    """The sweep as it would be read from its folder: one job a condition and seed, with its predictions."""
    jobs = []
    for number, (place, run) in enumerate(product(range(len(answers)), range(setting.runs))):
        values = dict(zip(setting.factors, setting.conditions[place], strict=True)) | {"seed": str(run)}
        several = len(setting.speakers) > 1
        corpora = [f"corpus{one}" for one in range(len(setting.speakers))]
        config = {"data.test": f"[{','.join(corpora)}]"} if several else {"dataset.name": "corpus0"}
        share = answers[place, run].mean(1)
        labels = [f"test/{name}" for name in corpora] if several else ["test"]
        metrics = {f"{label}/uar": share[setting.corpora == own].mean() for own, label in enumerate(labels)}
        jobs.append(
            Job(
                number, "finished", run_id=f"{place}-{run}", values=values, config=config, metrics=metrics,
                load=partial(tabulate_answers, setting, answers[place, run], labels),
            )
        )  # fmt: skip
    return Source("simulated", tuple(jobs), (*setting.factors, "seed"))


def tabulate_answers(setting: Setting, answers: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Predictions of one run from its answers [S, CLIPS], as in ``predictions.parquet``."""
    speaker, clip = np.divmod(np.arange(answers.size), CLIPS)
    true = clip % len(EMOTIONS)
    return pd.DataFrame(
        {
            "evaluation": np.array(labels)[setting.corpora[speaker]],
            "clip": [f"{one}-{other}" for one, other in zip(speaker, clip, strict=True)],
            "speaker": speaker.astype(str),
            "fold": (speaker % setting.folds).astype(str),
            "true": EMOTIONS[true],
            "predicted": EMOTIONS[(true + (answers.ravel() == 0)) % len(EMOTIONS)],
        }
    )


# ---- the default route


def describe_sweep(setting: Setting, answers: np.ndarray) -> Design:
    """The design of a sweep, from its predictions on; it must call for the mixed model."""
    design = describe_design(tabulate_source(make_source(setting, answers)))
    choice = choose_method(design)
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
    settings = Settings()
    fit = fit_model(design, settings)
    result.singular.append(fit.singular)
    result.unfit.append(not fit.converged or bool(fit.dropped))
    return {str(row["term"]): float(str(row["p"])) for row in fit.tabulate_tests(settings.anova_type or 2)}


def check_shortcut(setting: Setting, answers: np.ndarray, found: dict[str, float]) -> None:
    """Stop if analysing the predictions themselves gives other p values."""
    whole = analyse_by_default(describe_sweep(setting, answers), Result())
    if whole.keys() != found.keys() or not np.allclose(
        [whole[term] for term in found], list(found.values()), rtol=1e-6
    ):
        raise RuntimeError(f"{setting.name}: {whole} from the predictions, {found} from scores")


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


def run_settings(settings: Sequence[Setting], replications: int, seed: int, jobs: int) -> Iterable[Result]:
    """One result a setting, as they are ready."""
    starts = range(0, replications, CHUNK)
    chunks = [range(start, min(start + CHUNK, replications)) for start in starts]
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [
            [pool.submit(run_chunk, setting, [seed, place], chunk) for chunk in chunks]
            for place, setting in enumerate(settings)
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
        kept = "kept" if BAND[0] <= share <= BAND[1] else "LEFT"
        others = [f"{count_rejections(result.p[name][term])[0]:.3f}" for name in METHODS[1:]]
        flags = [f"{np.mean(flag):.0%}" for flag in (result.singular, result.unfit)]
        rows.append([setting.name, term, f"{share:.4f} ({error:.4f})", kept, *others, *flags])
    return rows


def show_errors(settings: Sequence[Setting], replications: int, seed: int, jobs: int) -> bool:
    """Print how often each null is rejected; whether the default route keeps to the band everywhere."""
    print(f"Share of p < {ALPHA} without any difference, {replications} sweeps a setting (Monte-Carlo standard error);")
    print(f"the default route must stay within {BAND[0]} and {BAND[1]}.\n")
    rows = []
    for setting, result in zip(settings, run_settings(settings, replications, seed, jobs), strict=True):
        rows += tabulate_errors(setting, result)
        print(
            f"{setting.name}: {'; '.join(f'{row[1]} {row[2]}' for row in rows if row[0] == setting.name)}", flush=True
        )
    print()
    print_table(["null sweep", "term", METHODS[0], "band", *METHODS[1:], "variance at 0", "not as designed"], rows)
    return all(row[3] == "kept" for row in rows)


def show_power(base: Setting, replications: int, seed: int, jobs: int) -> None:
    """Print how often differences are found by their size."""
    print(f"\nPower: share of p < {ALPHA} by size of the difference; {base.name}, {base.runs} runs a condition,")
    print(f"{replications} sweeps each. Only an analysis that keeps its level above has a power to read.\n")
    settings = [replace(base, shift=shift) for shift in SHIFTS]
    rows = []
    for setting, result in zip(settings, run_settings(settings, replications, seed + 1, jobs), strict=True):
        shares = [count_rejections(result.p[name][setting.factors[0]])[0] for name in METHODS]
        rows.append(
            [f"{setting.shift:.1f}", f"{100 * find_difference(setting):.1f}", *(f"{one:.3f}" for one in shares)]
        )
    print_table(["logit", "points", *METHODS], rows)


def find_difference(setting: Setting) -> float:
    """Difference in accuracy that a shift makes on average over speakers, utterances and runs."""
    spread = np.sqrt(SPEAKER_SD**2 + UTTERANCE_SD**2 + setting.run**2 + setting.reaction**2)
    z, weights = np.polynomial.hermite_e.hermegauss(40)
    low, high = (1 / (1 + np.exp(-(BASE + shift + spread * z))) @ weights for shift in (0.0, setting.shift))
    return float((high - low) / weights.sum())


def main() -> int:
    """Print both tables; 1 if the default route leaves the band."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000, help="sweeps a null setting (%(default)s)")
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
    settings = [setting for setting in SETTINGS if options.only in setting.name]
    kept = show_errors(settings, options.replications, options.random_seed, options.jobs) if settings else True
    if options.power:
        show_power(SETTINGS[1], options.power, options.random_seed, options.jobs)
    print(f"\n{time.perf_counter() - began:.0f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
