"""The warm repeat of an everyday experiment, with tracking: ``ser`` against nkululeko 1.14.1.

EmoDB, four emotions, eGeMAPSv02, SVM (RBF, C=1), one speaker left out at a time. Each side first runs once cold, which
fills its cache of features; then both are run in turn, ``--repeats`` times, with one thread for numeric libraries.
``ser`` trains all folds anew each time (``resume=false``) and tracks the run in MLflow; nkululeko has no tracking.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
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
)

#: Letter in EmoDB's file names → emotion, the four that are used.
EMOTIONS = {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness"}
MEN = {"03", "10", "11", "12", "15"}
NAME = re.compile(r"(\d\d)[ab]\d\d([WLEAFNT])[a-z]")
AUDIO = {".wav", ".flac"}
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
OURS, THEIRS = "ser", "nkululeko"
#: What each side prints of its pooled UAR.
PRINTED = {OURS: r"test UAR (\d?\.\d+)", THEIRS: r"result \(TEST\): test: (\d?\.\d+) UAR"}

#: Printed in the project's notes on its peers; the labels are cut to the four emotions.
INI = """[EXP]
root = ./results/
name = nk_svm
runs = 1
epochs = 1
save = False

[DATA]
databases = ['emodb']
emodb = ./data/emodb.csv
emodb.type = csv
emodb.absolute_path = True
emodb.split_strategy = speakers_stated
emodb.train = ['s03', 's08', 's09', 's10', 's11', 's12']
emodb.test = ['s13', 's14', 's15', 's16']
target = emotion
labels = {labels}

[FEATS]
type = ['os']
set = eGeMAPSv02
level = functionals
scale = standard

[MODEL]
type = svm
kernel = rbf
C_val = 1
n_jobs = 2
logo = 10
save = False
"""


def main() -> int:
    """Measure and print; returns an exit code."""
    options = parse_arguments()
    if not list_clips(options.root):
        sys.stderr.write(f"{options.root}: no EmoDB clips there; pass --root with EmoDB's folder\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="ser-warm-loso-") as name:
        folder = Path(name)
        commands = {OURS: command_ours(options.root, folder)}
        if options.nkululeko_python is None:
            print("no --nkululeko-python: only ser is measured")
        else:
            commands[THEIRS] = command_theirs(options.root, folder, options.nkululeko_python)
        try:
            cold = {name: measure(command, ENVIRONMENT, folder) for name, command in commands.items()}
            warm = alternate(commands, options.repeats, ENVIRONMENT, folder)
        except CommandFailed as error:
            sys.stderr.write(f"{error}\n")
            return 1
    report(cold, warm, options.repeats)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("SER_DATA")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(data, "emodb") if data else None,
        required=not data,
        help="folder of EmoDB (default: $SER_DATA/emodb)",
    )
    parser.add_argument("--nkululeko-python", help="interpreter of an environment that has nkululeko")
    parser.add_argument("--repeats", type=int, default=3, help="warm runs of each side (default: 3)")
    options = parser.parse_args()
    options.root = options.root.absolute()
    if options.repeats < 1:
        parser.error("--repeats: at least 1")
    return options


def list_clips(root: Path) -> list[tuple[Path, str, str]]:
    """(path, speaker, emotion) of every clip of the four emotions below a folder, in order of names."""
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO)
    matches = ((path, NAME.fullmatch(path.stem)) for path in paths)
    return [(path, match[1], EMOTIONS[match[2]]) for path, match in matches if match and match[2] in EMOTIONS]


def command_ours(root: Path, folder: Path) -> list[str]:
    """Our command; everything it writes goes below ``folder``."""
    ENVIRONMENT["SER_OUTPUTS"] = str(folder / "ser")
    return [
        *find_ser(),
        "train",
        "dataset=emodb",
        f"dataset.root={root}",
        f"dataset.emotions=[{','.join(EMOTIONS.values())}]",
        "backbone=egemaps",
        "head=svm",
        "head.tune=false",
        "split=loso",
        "resume=false",
    ]


def command_theirs(root: Path, folder: Path, python: str) -> list[str]:
    """nkululeko's command, with the table and the configuration it reads written into ``folder``."""
    table = folder / "data" / "emodb.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "speaker", "gender", "emotion"])
        for path, speaker, emotion in list_clips(root):
            rows.writerow([path, f"s{speaker}", "male" if speaker in MEN else "female", emotion])
    ini = folder / "nkululeko.ini"
    ini.write_text(INI.format(labels=list(EMOTIONS.values())))
    return [python, "-m", "nkululeko.nkululeko", "--config", str(ini)]


def report(cold: Mapping[str, Cost], warm: Mapping[str, Sequence[Cost]], repeats: int) -> None:
    """Print the table, the ratio of the medians and what each side scored."""
    print(describe_machine(repeats))
    rows = []
    for name, costs in warm.items():
        rows.append([f"{name}, cold", *format_costs([cold[name]]), find_uar(name, cold[name].output)])
        rows.append([f"{name}, warm", *format_costs(costs), find_uar(name, costs[-1].output)])
    print_table(["EmoDB, 4 emotions, LOSO", *COST_COLUMNS, "UAR"], rows)
    ours = statistics.median(cost.cpu for cost in warm[OURS])
    if THEIRS in warm:
        theirs = statistics.median(cost.cpu for cost in warm[THEIRS])
        print(f"warm CPU seconds: {theirs:.2f} to {ours:.2f}, a factor of {theirs / ours:.1f} (aim: ser under 4)")
    else:
        print(f"warm CPU seconds: {ours:.2f} (aim: under 4)")


def find_uar(name: str, output: str) -> str:
    """The pooled UAR that a side printed, or ``?``."""
    found = re.findall(PRINTED[name], output)
    return found[-1] if found else "?"


if __name__ == "__main__":
    sys.exit(main())
