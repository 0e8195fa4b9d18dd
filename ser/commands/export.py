"""``ser export``: the model of a finished run as a folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from ser.commands.options import describe_options

USAGE = """usage: ser export run=<run> [out=<folder>] [<key>=<value> …]

Writes what prediction needs into a folder: safetensors, configuration, a model card. `ser predict run=<folder>` and
ser.load("<folder>") open it anywhere, without the corpus and without MLflow.
{options}
examples
  ser export run=outputs/runs/… out=my-model
  ser export run=outputs/runs/… out=my-model 'export.format=[torch,onnx]'

exit codes: 0 all well; 2 the command or the input is wrong"""


def main(arguments: Sequence[str]) -> int:
    """Export; returns the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE.format(options=describe_options("export")) + "\n")
        return 0
    from ser.export import export
    from ser.prediction.options import read_options

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    outcome = export(read_options("export", arguments))
    for name, difference in outcome.graphs.items():
        sys.stdout.write(f"{name}: differs from the model by {difference:.1e} at most\n")
    sys.stdout.write(f"{outcome.size / 1e6:.1f} MB; next: ser predict run={outcome.folder} audio=…\n{outcome.folder}\n")
    return 0
