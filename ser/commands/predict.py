"""``ser predict``: what finished runs say of recordings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from ser.commands.options import describe_options

USAGE = """usage: ser predict run=<run> audio=<file, folder, pattern or list> [<key>=<value> …]

Prints and writes a table: a row a recording (of long ones, a row a window) with the emotion and all probabilities.
What cannot be read is named at the end; the rest is done.
{options}
examples
  ser predict run=outputs/runs/… audio=talk.mp3 window=5 hop=1 out=talk.jsonl
  ser predict 'runs=[<one>,<another>]' 'audio=calls/*.flac' calibrated=true

exit codes: 0 all well; 1 recordings could not be used; 2 the command or the input is wrong"""


def main(arguments: Sequence[str]) -> int:
    """Predict; 1 if some recordings could not be used."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE.format(options=describe_options("predict")) + "\n")
        return 0
    from ser.predict import predict
    from ser.prediction.options import read_options

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    outcome = predict(read_options("predict", arguments))
    sys.stdout.write(f"{outcome.out}\n")
    if outcome.problems:
        lines = "".join(f"  {shown}: {why}\n" for shown, why in outcome.problems.items())
        sys.stderr.write(f"could not be used: {len(outcome.problems)}\n{lines}")
    return int(bool(outcome.problems))
