"""What starting costs: the bare interpreter, ``ser --help``, and the imports of the train stage.

The last row imports by itself what a run on scikit-learn cannot do without: the stage should cost little more.
Beside the times it says which of the heavy packages the stage imports that such a run does not need.
"""

from __future__ import annotations

import argparse
import sys

from timing import COST_COLUMNS, alternate, describe_machine, find_ser, format_costs, measure, print_table, take_median

STAGE = "import ser.commands.train"
#: What a tracked scikit-learn run needs whatever frame is around it.
NEEDED = "import hydra, pandas, numpy, sklearn.svm, sklearn.model_selection, soundfile; from mlflow import MlflowClient"
#: What it must not import.
HEAVY = ("torch", "pytorch_lightning", "matplotlib", "opensmile", "transformers")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    python = [sys.executable, "-c"]
    commands = {
        "python -c pass": [*python, "pass"],
        "ser --help": [*find_ser(), "--help"],
        "ser list backbone": [*find_ser(), "list", "backbone"],
        "import of the train stage": [*python, STAGE],
        "train stage and MLflow's client": [*python, f"{STAGE}; from mlflow import MlflowClient"],
        "its packages alone": [*python, NEEDED],
    }
    alternate(commands, 1)  # byte code and disk cache
    costs = alternate(commands, repeats)
    print(describe_machine(repeats))
    print_table(["start", *COST_COLUMNS], [[name, *format_costs(costs[name])] for name in commands])
    over = take_median(costs["ser --help"]).cpu - take_median(costs["python -c pass"]).cpu
    print(f"ser --help over the bare interpreter: {over * 1000:.0f} CPU ms (aim: under 1 s of wall in all)")
    check = f"import sys; {STAGE}; from mlflow import MlflowClient; print(*(n for n in {HEAVY!r} if n in sys.modules))"
    print(f"imported without need: {measure([*python, check]).output.strip() or 'none of ' + ', '.join(HEAVY)}")


if __name__ == "__main__":
    main()
