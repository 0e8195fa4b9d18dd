"""What it costs to give the command of a finished sweep of 12 jobs again: every job is found done and skipped.

The sweep (three scikit-learn heads, four seeds) runs on a small built-in corpus. Its features are extracted beforehand
by a run of their own, so that the first run of the sweep is training and tracking alone. Then the same command is given
again ``--repeats`` times, with and without the report page at its end. A sweep of one job, rerun likewise, tells what
each further job adds to the cost of starting.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from timing import (
    COST_COLUMNS,
    CommandFailed,
    Cost,
    alternate,
    describe_machine,
    find_ser,
    format_costs,
    measure,
    print_table,
    take_median,
)

CORPUS = ["dataset=planted", "dataset.utterances_per_speaker=6", "backbone=egemaps", "head.tune=false"]
SWEEP = ["-m", *CORPUS, "head=svm,logreg,ridge", "seed=1,2,3,4"]
ONE = ["-m", *CORPUS, "head=svm", "seed=1"]
JOBS = 12


def main() -> int:
    """Measure and print; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="reruns (default: 3)")
    repeats = parser.parse_args().repeats
    train = [*find_ser(), "train"]
    with tempfile.TemporaryDirectory(prefix="ser-rerun-") as name:
        env = {"OMP_NUM_THREADS": "1", "SER_OUTPUTS": str(Path(name) / "outputs")}
        try:
            cold = measure([*train, *CORPUS, "head=dummy"], env, Path(name))
            first = measure([*train, *SWEEP, "report=false"], env, Path(name))
            commands = {
                "rerun, 12 jobs": [*train, *SWEEP, "report=false"],
                "rerun, 12 jobs, and report": [*train, *SWEEP],
                "rerun, 1 job": [*train, *ONE, "report=false"],
            }
            again = alternate(commands, repeats, env, Path(name))
        except CommandFailed as error:
            sys.stderr.write(f"{error}\n")
            return 1
    rows = [row("corpus and features", [cold], 1), row("first run, 12 jobs", [first], JOBS)]
    rows += [row(name, costs, 1 if "1 job" in name else JOBS) for name, costs in again.items()]
    print(describe_machine(repeats))
    print_table(["sweep", *COST_COLUMNS, "CPU s a job"], rows)
    twelve, one = (take_median(again[name]).cpu for name in ("rerun, 12 jobs", "rerun, 1 job"))
    skipped = again["rerun, 12 jobs"][-1].output.count("skipped")
    print(f"a skipped job adds {(twelve - one) / (JOBS - 1):.3f} CPU s; skipped in the last rerun: {skipped} of {JOBS}")
    return 0 if skipped == JOBS else 1


def row(name: str, costs: Sequence[Cost], jobs: int) -> list[str]:
    """A row of the table, with the cost of each job."""
    return [name, *format_costs(costs), f"{take_median(costs).cpu / jobs:.2f}"]


if __name__ == "__main__":
    sys.exit(main())
