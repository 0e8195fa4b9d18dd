"""Meters of acoustic cues on ladders of planted doses (track A0): what each follows, and what it mistakes for another.

First table: for each planted cue the measure that stands for it, the mean Spearman correlation with the dose within
utterances, and the means over the ladder. Second table: how far every measure moves from the lowest to the highest dose
of each planted cue, in SDs over neutral utterances; beyond 2 off the diagonal, a difference of one cue can be that of
another. --write keeps the correlations as the meter's reliability in ser/cue/reliability.yaml.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import yaml

from ser.cue.calibrate import FOLLOWS, GRID, Calibration, calibrate, find_reliability
from ser.cue.meters.own import NumpyMeter
from ser.cue.meters.praat import PraatMeter
from ser.cue.meters.smile import OpenSmileMeter
from ser.cue.reliability import TABLE
from ser.errors import InputError

METERS = {"numpy": NumpyMeter, "opensmile": OpenSmileMeter, "praat": PraatMeter}


def main() -> int:
    """Measure and print; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meters", nargs="*", default=["numpy", "opensmile"], help=f"some of {', '.join(METERS)}")
    parser.add_argument("--speakers", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first speaker; our meter was made on 0 to 3"
    )
    parser.add_argument("--write", action="store_true", help="keep the reliabilities")
    options = parser.parse_args()
    unknown = [name for name in options.meters if name not in METERS]
    if unknown:
        sys.stderr.write(f"no meter {unknown[0]!r}: expected {', '.join(METERS)}\n")
        return 2
    for name in options.meters:
        try:
            found = calibrate(METERS[name](reliability={}), options.speakers, options.seeds, first=options.first)
        except InputError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        report(name, found)
        if options.write:
            write(name, found)
    return 0


def report(name: str, found: Calibration) -> None:
    """Print both tables of a meter."""
    print(f"meter={name}: {len(found.values)} utterances, {1000 * found.seconds:.0f} ms CPU each\n")
    print(f"{'planted':<10} {'measure':<13} {'Spearman':>8}  means over the ladder")
    shown = set()
    for measure, (planted, _) in FOLLOWS.items():
        means = found.values[found.values["planted"] == planted].groupby("dose")[measure].mean()
        mark = " " if planted in shown else "*"
        rho = found.correlations.loc[planted, measure]
        print(f"{planted:<10} {measure:<12}{mark} {rho:>+8.2f}  " + " ".join(f"{mean:10.4g}" for mean in means))
        shown.add(planted)
    print("\ncross-talk, SDs of neutral utterances")
    columns = list(FOLLOWS)
    print(f"{'planted':<10} " + " ".join(f"{column[:9]:>9}" for column in columns))
    for planted in GRID:
        cells = found.crosstalk.loc[planted, columns].to_numpy()
        print(f"{planted:<10} " + " ".join(f"{cell:>9.1f}" if np.isfinite(cell) else f"{'-':>9}" for cell in cells))
    print()


def write(name: str, found: Calibration) -> None:
    """Keep a meter's reliabilities beside those of the others."""
    comment = TABLE.read_text().partition("\n")[0]
    table = yaml.safe_load(TABLE.read_text()) | {name: find_reliability(found.correlations)}
    TABLE.write_text(comment + "\n" + yaml.safe_dump(table, sort_keys=False))


if __name__ == "__main__":
    sys.exit(main())
