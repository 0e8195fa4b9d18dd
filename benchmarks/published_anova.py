"""A published 2 x 2 x 2 ANOVA, recomputed from its table of cells, and what is left of it with the right structure.

The study scored 440 trained models (4 checkpoints x 110 seeds) on two test sets and analysed the 880 accuracies as
independent. Part 1 rebuilds that ANOVA from the eight printed means and standard deviations. Parts 2 and 3 simulate
scores with exactly these means and SDs, so that the printed ANOVA is the same to the last digit, but with what the
study's design says of their dependence:

- both scores of a row pair come from one trained model, and the four checkpoints of a seed share its split (part 2);
- every score is a mean over speakers: 6 in one test set, 86 in the other (part 3).

The study prints no correlations and no scores by speaker, so their sizes are assumptions, given as options.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pandas as pd

from ser.statistics.anova import fit_ols, test_terms
from ser.statistics.cells import expand_cells
from ser.statistics.mixed import fit_mixed

FACTORS = ["arch", "pft", "test_set"]
SEEDS = 110
#: arch, pft, test set, mean accuracy, SD over seeds (dividing by the number of seeds)
CELLS = [
    ("wav2vec2", "italian", "emozionalmente", 0.7825, 0.0166),
    ("wav2vec2", "italian", "emovo", 0.5855, 0.0341),
    ("wav2vec2", "none", "emozionalmente", 0.7810, 0.0195),
    ("wav2vec2", "none", "emovo", 0.5675, 0.0338),
    ("hubert", "italian", "emozionalmente", 0.7604, 0.0170),
    ("hubert", "italian", "emovo", 0.5227, 0.0347),
    ("hubert", "none", "emozionalmente", 0.7615, 0.0181),
    ("hubert", "none", "emovo", 0.5211, 0.0309),
]
PRINTED = {
    "arch": 431.2770,
    "pft": 7.5911,
    "test_set": 15002.5765,
    "arch:pft": 6.7778,
    "arch:test_set": 86.8540,
    "pft:test_set": 6.9061,
    "arch:pft:test_set": 3.5519,
}
#: Seeds that are averaged before speakers are modelled.
SEEDS_TOGETHER = 10
#: test set -> speakers, utterances of each (6,902 clips of 431 speakers, a fifth of them for testing; 588 of 6)
SPEAKERS = {"emozionalmente": (86, 16), "emovo": (6, 98)}


def simulate_runs(seed_share: float, run_share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Scores of 440 models on two test sets with the printed means and SDs: seed, run, arch, pft, test_set, score.

    ``seed_share`` and ``run_share`` of the variance within a cell belong to the split that four models share and to the
    model that both scores share.
    """
    cells = pd.DataFrame(CELLS, columns=[*FACTORS, "mean", "sd"])
    splits = rng.normal(size=SEEDS)
    models = {key: rng.normal(size=SEEDS) for key in dict.fromkeys((arch, pft) for arch, pft, *_ in CELLS)}
    parts = []
    for cell in cells.itertuples():
        rest = np.sqrt(1 - seed_share - run_share) * rng.normal(size=SEEDS)
        z = np.sqrt(seed_share) * splits + np.sqrt(run_share) * models[cell.arch, cell.pft] + rest
        z = (z - z.mean()) / z.std()
        part = pd.DataFrame({"seed": range(SEEDS), "score": cell.mean + cell.sd * z})
        parts.append(part.assign(arch=cell.arch, pft=cell.pft, test_set=cell.test_set))
    runs = pd.concat(parts, ignore_index=True)
    return runs.assign(run=runs["arch"] + "_" + runs["pft"] + "_" + runs["seed"].astype(str))


def spread_over_speakers(runs: pd.DataFrame, speaker_by: dict[str, float], rng: np.random.Generator) -> pd.DataFrame:
    """Scores of every run on every speaker of its test set, whose mean over speakers is the run's score.

    ``speaker_by``: SD of the differences between speakers (``""``) and of their reactions to arch, pft and both.
    """
    parts = []
    for test_set, (speakers, utterances) in SPEAKERS.items():
        table = runs[runs["test_set"] == test_set].reset_index(drop=True)
        deviation = np.zeros((len(table), speakers))
        for columns, sd in speaker_by.items():
            groups = table[columns.split(":")].agg(" ".join, axis=1) if columns else pd.Series("", index=table.index)
            codes, names = pd.factorize(groups)
            deviation += rng.normal(0, sd, (len(names), speakers))[codes]
        share = table["score"].to_numpy()[:, None]
        deviation += rng.normal(size=deviation.shape) * np.sqrt(share * (1 - share) / utterances)
        deviation -= deviation.mean(1, keepdims=True)
        cells = table.loc[table.index.repeat(speakers)].reset_index(drop=True)
        names = [f"{test_set}_{speaker}" for speaker in range(speakers)] * len(table)
        parts.append(cells.assign(speaker=names, score=(share + deviation).ravel()))
    return pd.concat(parts, ignore_index=True)


def average_seeds(table: pd.DataFrame, size: int) -> pd.DataFrame:
    """Means over ``size`` seeds at a time: the same estimates and, the design being balanced, tests, in fewer rows."""
    batch = (table["seed"] // size).astype(str)
    table = table.assign(run=table["arch"] + "_" + table["pft"] + "_" + batch)
    return table.groupby([*FACTORS, "run", "speaker"], as_index=False)["score"].mean()


def show_rebuilt(runs: pd.DataFrame) -> None:
    """Print the ANOVA between groups beside the printed one."""
    rows = {row["term"]: row for row in test_terms(fit_ols(runs, "score", FACTORS, interactions=3))}
    print("1. Rebuilt from the printed means and SDs, all 880 scores taken as independent\n")
    print(f"{'term':<20}{'F printed':>12}{'F rebuilt':>12}{'df':>8}{'p':>10}{'eta2':>8}{'90 % interval':>16}")
    for term, printed in PRINTED.items():
        row = rows[term]
        interval = f"{row['partial_eta_sq_low']:.3f}-{row['partial_eta_sq_high']:.3f}"
        print(
            f"{term:<20}{printed:>12.2f}{row['F']:>12.2f}{row['df_resid']:>8}{row['p']:>10.2g}"
            f"{row['partial_eta_sq']:>8.3f}{interval:>16}"
        )


def show_tests(between: dict[str, dict[str, float]], columns: dict[str, list[dict[str, object]]]) -> None:
    """Print F, error df and p of every term, a group of columns for each analysis."""
    print(f"\n{'':<20}{'between groups':>22}" + "".join(f"{name:>28}" for name in columns))
    print(f"{'term':<20}{'F':>12}{'p':>10}" + f"{'F':>10}{'df':>8}{'p':>10}" * len(columns))
    for term in PRINTED:
        line = f"{term:<20}{between[term]['F']:>12.2f}{between[term]['p']:>10.2g}"
        for rows in columns.values():
            row = next(each for each in rows if each["term"] == term)
            line += f"{row['F']:>10.2f}{row['df_denom']:>8.1f}{row['p']:>10.2g}"
        print(line)


def report_changes(between: dict[str, dict[str, float]], rows: list[dict[str, object]]) -> None:
    """Say for which terms the decision at 5 % changes."""
    turned = [
        f"{row['term']} {between[row['term']]['p']:.2g} -> {row['p']:.2g}"
        for row in rows
        if (between[row["term"]]["p"] < 0.05) != (row["p"] < 0.05)
    ]
    print(f"Decided otherwise at p < .05: {'; '.join(turned) or 'nothing'}.")


def main() -> int:
    """Print the three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed-share", type=float, default=0.15, help="of variance: the split (%(default)s)")
    parser.add_argument("--run-share", type=float, default=0.45, help="of variance: the model (%(default)s)")
    parser.add_argument("--speaker-arch", type=float, default=0.03, help="SD of speaker x architecture (%(default)s)")
    parser.add_argument("--speaker-pft", type=float, default=0.02, help="SD of speaker x pre-fine-tuning (%(default)s)")
    parser.add_argument("--random-seed", type=int, default=0, help="of the simulation (%(default)s)")
    options = parser.parse_args()
    began = time.perf_counter()
    rng = np.random.default_rng(options.random_seed)

    cells = pd.DataFrame(CELLS, columns=[*FACTORS, "mean", "sd"])
    show_rebuilt(expand_cells(cells, "mean", "sd", SEEDS, ddof=0))

    print("\n2. The same means and SDs with one trained model behind two scores, one split behind four models")
    columns = {}
    for seed_share, run_share in ((0.0, 0.0), (options.seed_share, options.run_share)):
        runs = simulate_runs(seed_share, run_share, rng)
        fit = fit_mixed(runs, "score", FACTORS, ["seed", "run"], second_start=False)
        columns[f"seed {seed_share:.0%}, model {run_share:.0%}"] = fit.tabulate_tests(2)
    again = {row["term"]: row for row in test_terms(fit_ols(runs, "score", FACTORS, interactions=3))}
    show_tests(again, columns)
    report_changes(again, fit.tabulate_tests(2))

    print("\n3. The same means and SDs over speakers, who react differently to the checkpoints")
    speaker_by = {"": 0.08, "arch": options.speaker_arch, "pft": options.speaker_pft, "arch:pft": 0.02}
    table = average_seeds(spread_over_speakers(runs, speaker_by, rng), SEEDS_TOGETHER)
    crossed = [("speaker", "arch"), ("speaker", "pft"), ("speaker", "arch", "pft"), ("run", "test_set")]
    fit = fit_mixed(table, "score", FACTORS, ["speaker", "run", *crossed], second_start=False)
    # Type III gives both test sets the same weight, as the printed ANOVA does; Type II would weigh them by speakers.
    tests = fit.tabulate_tests(3)
    show_tests(again, {f"{table['speaker'].nunique()} speakers": tests})
    report_changes(again, tests)
    print("SDs found: " + ", ".join(f"{row['group']} {row['sd']:.4f}" for row in fit.random))
    print(f"\n{time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
