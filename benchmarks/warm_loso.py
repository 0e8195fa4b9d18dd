"""The warm repeat of an everyday experiment, with tracking: ``ser`` against nkululeko 1.14.1.

EmoDB, eGeMAPSv02, SVM (RBF, C=1), one speaker left out at a time; four emotions unless told otherwise. Each side
first runs once cold, which fills its cache of features; then both are run in turn, ``--repeats`` times, with one thread
for numeric libraries. ``ser`` trains all folds anew each time (``resume=false``) and tracks the run in MLflow;
nkululeko has no tracking.
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
from typing import NamedTuple

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

#: Letter in EmoDB's file names → emotion.
LETTERS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}
FOUR = "anger,happiness,neutral,sadness"
MEN = {"03", "10", "11", "12", "15"}
NAME = re.compile(r"(\d\d)[ab]\d\d([WLEAFNT])[a-z]")
AUDIO = {".wav", ".flac"}
OURS, THEIRS = "ser", "nkululeko"
#: What each side prints of its pooled UAR.
PRINTED = {OURS: r"test UAR (\d?\.\d+)", THEIRS: r"result \(TEST\): test: (\d?\.\d+) UAR"}

#: As an independent user would write it: z-scores, RBF kernel, C=1, ten groups of speakers.
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
INI_NAME = "nkululeko.ini"


class Clip(NamedTuple):
    """One file of EmoDB."""

    path: Path
    speaker: str
    emotion: str


def main() -> int:
    """Measure and print; returns an exit code."""
    options = parse_arguments()
    if options.root is None:
        print("EmoDB's warm repeat was not measured: pass --root with EmoDB's folder, or set SER_DATA")
        return 0
    clips = list_clips(options.root.absolute(), options.emotions)
    if not clips:
        sys.stderr.write(f"{options.root}: no EmoDB clips there; pass --root with EmoDB's folder\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="ser-warm-loso-") as name:
        folder = Path(name)
        env = {"OMP_NUM_THREADS": "1", "SER_OUTPUTS": str(folder / "ser")}
        commands = {OURS: make_our_command(options.root.absolute(), options.emotions)}
        if options.nkululeko_python:
            write_their_input(folder, clips, options.emotions)
            commands[THEIRS] = [options.nkululeko_python, "-m", "nkululeko.nkululeko", "--config", INI_NAME]
        else:
            print("no --nkululeko-python: only ser is measured")
        try:
            cold = {name: measure(command, env, folder) for name, command in commands.items()}
            warm = alternate(commands, options.repeats, env, folder)
        except (CommandFailed, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    print(f"{len(clips)} clips; {describe_machine(options.repeats)}")
    report(cold, warm)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("SER_DATA")
    root = Path(data, "emodb") if data else None
    parser.add_argument("--root", type=Path, default=root, help="folder of EmoDB (default: $SER_DATA/emodb)")
    parser.add_argument("--emotions", default=FOUR, help=f"names with commas, or all (default: {FOUR})")
    parser.add_argument(
        "--nkululeko-python",
        default=os.environ.get("NKULULEKO_PYTHON"),
        help="interpreter of an environment that has nkululeko (default: $NKULULEKO_PYTHON)",
    )
    parser.add_argument("--repeats", type=int, default=3, help="warm runs of each side (default: 3)")
    options = parser.parse_args()
    known = sorted(LETTERS.values())
    options.emotions = known if options.emotions == "all" else options.emotions.split(",")
    if unknown := set(options.emotions) - set(known):
        parser.error(f"--emotions: {', '.join(sorted(unknown))} not among {', '.join(known)}")
    if options.repeats < 1:
        parser.error("--repeats: at least 1")
    return options


def list_clips(root: Path, emotions: Sequence[str]) -> list[Clip]:
    """Every clip of these emotions below a folder, in order of names."""
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO)
    matches = ((path, NAME.fullmatch(path.stem)) for path in paths)
    return [Clip(path, m[1], LETTERS[m[2]]) for path, m in matches if m and LETTERS[m[2]] in emotions]


def make_our_command(root: Path, emotions: Sequence[str]) -> list[str]:
    """The command line of ``ser``; it writes below ``SER_OUTPUTS``."""
    choices = ["dataset=emodb", f"dataset.root={root}", f"dataset.emotions=[{','.join(emotions)}]", "backbone=egemaps"]
    return [*find_ser(), "train", *choices, "head=svm", "head.tune=false", "split=loso", "resume=false"]


def write_their_input(folder: Path, clips: Sequence[Clip], emotions: Sequence[str]) -> None:
    """Write the table and the configuration that nkululeko reads."""
    (folder / "data").mkdir()
    with (folder / "data" / "emodb.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "speaker", "gender", "emotion"])
        for clip in clips:
            gender = "male" if clip.speaker in MEN else "female"
            rows.writerow([clip.path, f"s{clip.speaker}", gender, clip.emotion])
    (folder / INI_NAME).write_text(INI.format(labels=list(emotions)))


def report(cold: Mapping[str, Cost], warm: Mapping[str, Sequence[Cost]]) -> None:
    """Print the table, the ratio of the medians and what each side scored."""
    rows = []
    for name, costs in warm.items():
        rows.append([f"{name}, cold", *format_costs([cold[name]]), find_uar(name, cold[name].output)])
        rows.append([f"{name}, warm", *format_costs(costs), find_uar(name, costs[-1].output)])
    print_table(["EmoDB, LOSO", *COST_COLUMNS, "UAR"], rows)
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
