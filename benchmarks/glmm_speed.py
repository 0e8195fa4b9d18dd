"""Time and memory of the logit mixed model on single answers, beside lme4's: 30,000 rows, three crossed random terms.

The model is ``correct ~ arch * pft * head + (1 | speaker) + (1 | utterance) + (1 | run)`` by Laplace's approximation,
on simulated answers: 12 conditions, 5 runs each, every run tested on 50 clips of each of 10 speakers. Every fit is a
process of its own that reads the answers from a file, so that its peak memory is its own; starting and reading are
shown as a row and are part of the others. ``ser`` searches from two starts unless told otherwise; lme4 from one.

lme4 takes part where ``Rscript`` is found and has it, and is left out otherwise.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from timing import COST_COLUMNS, Cost, alternate, describe_machine, format_costs, print_table

LEVELS = {"arch": ["base", "large", "small"], "pft": ["none", "yes"], "head": ["linear", "mlp"]}
FACTORS = list(LEVELS)
RANDOM = {"speaker": 0.5, "utterance": 1.0, "run": 0.15}
BASE = 0.85
#: Log-likelihoods of two engines that found the same end differ by less.
SAME = 0.01

R_FIT = """
suppressMessages(library(lme4))
table <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = TRUE)
fit <- glmer(correct ~ arch * pft * head + (1 | speaker) + (1 | utterance) + (1 | run), table, family = binomial)
sd <- sapply(VarCorr(fit), function(own) attr(own, "stddev")[[1]])
cat(sprintf('{"loglik": %.6f, "speaker": %.5f, "utterance": %.5f, "run": %.5f}\\n',
            as.numeric(logLik(fit)), sd[["speaker"]], sd[["utterance"]], sd[["run"]]))
"""


def simulate_answers(speakers: int, clips: int, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    """One row a run and utterance: factors, run, speaker, utterance, correct (0 or 1)."""
    runs = [(*levels, f"{'-'.join(levels)}-{seed}") for levels in product(*LEVELS.values()) for seed in range(seeds)]
    table = pd.DataFrame(runs, columns=[*FACTORS, "run"])
    speaker, clip = np.divmod(np.arange(speakers * clips), clips)
    items = pd.DataFrame({"speaker": [f"s{one}" for one in speaker], "clip": clip})
    items["utterance"] = items["speaker"] + "-" + items["clip"].astype(str)
    table = table.merge(items.drop(columns="clip"), how="cross")
    logit = BASE + 0.2 * (table["arch"] == "large") + 0.1 * (table["head"] == "mlp")
    for name, sd in RANDOM.items():
        codes, levels = pd.factorize(table[name])
        logit += rng.normal(0, sd, len(levels))[codes]
    return table.assign(correct=(rng.random(len(table)) < 1 / (1 + np.exp(-logit))).astype(int))


def fit_ours(path: Path, second: bool) -> dict[str, float]:
    """Fit with ``ser``; log-likelihood and SDs."""
    from ser.statistics.mixed import fit_mixed

    table = pd.read_csv(path)
    fit = fit_mixed(table, "correct", FACTORS, list(RANDOM), family="binomial", second_start=second)
    return {"loglik": fit.loglik, **{str(row["group"]): float(str(row["sd"])) for row in fit.random}}


def read_only(path: Path) -> dict[str, float]:
    """What every fit does besides: import and read."""
    import ser.statistics.mixed  # noqa: F401

    pd.read_csv(path)
    return dict.fromkeys(("loglik", *RANDOM), float("nan"))


def find_lme4() -> str:
    """Rscript if it is there with lme4, else ""."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return ""
    check = subprocess.run([rscript, "-e", "library(lme4)"], capture_output=True, check=False)
    return rscript if check.returncode == 0 else ""


def list_commands(folder: Path, rscript: str) -> dict[str, Sequence[str]]:
    """One command a row of the table."""
    own = [sys.executable, __file__, "--table", str(folder / "answers.csv"), "--side"]
    commands: dict[str, Sequence[str]] = {
        "ser, starting and reading": [*own, "nothing"],
        "ser, one search": [*own, "once"],
        "ser, both searches": [*own, "twice"],
    }
    if rscript:
        (folder / "fit.R").write_text(R_FIT)
        commands["lme4 (glmer)"] = [rscript, str(folder / "fit.R"), str(folder / "answers.csv")]
    return commands


def report(costs: Mapping[str, Sequence[Cost]]) -> None:
    """Print the table, and whether all found the same end."""
    found = {name: json.loads(own[-1].output.splitlines()[-1]) for name, own in costs.items()}
    rows = []
    for name, own in costs.items():
        values = [f"{found[name][key]:.{places}f}" for key, places in (("loglik", 3), *((key, 4) for key in RANDOM))]
        rows.append([name, *format_costs(own), *(value if value != "nan" else "" for value in values)])
    print_table(["fit", *COST_COLUMNS, "log-likelihood", *(f"SD {name}" for name in RANDOM)], rows)
    ends = [one["loglik"] for one in found.values() if one["loglik"] == one["loglik"]]
    if len(costs) > 3:
        apart = max(ends) - min(ends)
        print(f"log-likelihoods differ by {apart:.2g}: {'the same end' if apart < SAME else 'NOT the same end'}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speakers", type=int, default=10, help="test speakers (%(default)s)")
    parser.add_argument("--clips", type=int, default=50, help="clips of each (%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="runs a condition (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of every fit (%(default)s)")
    parser.add_argument("--random-seed", type=int, default=0, help="of the simulation (%(default)s)")
    parser.add_argument("--side", choices=["nothing", "once", "twice"], help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        read = options.side == "nothing"
        print(json.dumps(read_only(options.table) if read else fit_ours(options.table, options.side == "twice")))
        return 0
    table = simulate_answers(options.speakers, options.clips, options.seeds, np.random.default_rng(options.random_seed))
    rscript = find_lme4()
    with tempfile.TemporaryDirectory() as name:
        table.to_csv(Path(name, "answers.csv"), index=False)
        costs = alternate(list_commands(Path(name), rscript), options.repeats, {"OMP_NUM_THREADS": "1"})
    groups = ", ".join(f"{table[own].nunique()} {own}s" for own in RANDOM)
    print(f"{len(table)} rows; {groups}; {describe_machine(options.repeats)}")
    report(costs)
    if not rscript:
        print("lme4 was not measured: no Rscript with lme4 on the path")
    return 0


if __name__ == "__main__":
    sys.exit(main())
