"""What starting costs: the bare interpreter, ``ser --help``, and the imports of the train stage.

The last row imports by itself what a tracked run on scikit-learn rests on: the row above should cost little more.
Below the table stands which heavy packages are imported although such a run does not need them.
"""

from __future__ import annotations

import argparse
import sys

from timing import COST_COLUMNS, alternate, describe_machine, find_ser, format_costs, measure, print_table, take_median

STAGE = "import ser.commands.train"
STORE = "from mlflow import MlflowClient; import mlflow.store.tracking.sqlalchemy_store"
#: The stage with what it imports later, when head and tracking are known.
RUN = f"{STAGE}; import ser.head.estimators, sklearn.svm; {STORE}"
#: What a tracked run on scikit-learn imports whatever frame is around it.
NEEDED = f"import hydra, pandas, soundfile, sklearn.svm, sklearn.model_selection, sklearn.preprocessing; {STORE}"
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
        "all that a scikit-learn run imports": [*python, RUN],
        "the packages it rests on, alone": [*python, NEEDED],
    }
    alternate(commands, 1)  # byte code and disk cache
    costs = alternate(commands, repeats)
    print(describe_machine(repeats))
    print_table(["start", *COST_COLUMNS], [[name, *format_costs(costs[name])] for name in commands])
    over = take_median(costs["ser --help"]).cpu - take_median(costs["python -c pass"]).cpu
    print(f"ser --help over the bare interpreter: {over * 1000:.0f} CPU ms (aim: under 1 s of wall in all)")
    check = f"import sys; {RUN}; print(*(n for n in {HEAVY!r} if n in sys.modules))"
    print(f"imported without need: {measure([*python, check]).output.strip() or 'none of ' + ', '.join(HEAVY)}")


if __name__ == "__main__":
    main()
