"""``ser doctor``: is the installation sound, and what to do where it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ser.doctor.finding import ERROR, Finding
from ser.errors import InputError

USAGE = """usage: ser doctor [--fix] [tracking.uri=<uri>]

Checks versions, devices, torchaudio, the store of runs, room on the disk, corpora and checkpoints; each line is ok, a
warning or an error, with the remedy. --fix mends what can be mended.

exit codes: 0 no errors; 1 errors; 2 the command is wrong"""
URI = "tracking.uri="


def main(arguments: Sequence[str]) -> int:
    """Print what the checks find; 1 if any of it is an error."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    for argument in arguments:
        if argument != "--fix" and not (argument.startswith(URI) and argument != URI):
            raise InputError(f"{argument!r} is not an option", expected=f"--fix, {URI}<uri>")
    try:
        from ser.doctor.checks import check_all
    except ImportError as error:  # half an installation
        sys.stdout.write(f"{Finding(ERROR, f'{error.name} cannot be imported ({error})', 'make install')}\n")
        return 1
    outputs = Path(os.environ.get("SER_OUTPUTS", "outputs"))
    named = [argument.removeprefix(URI) for argument in arguments if argument.startswith(URI)]
    findings = []
    for finding in check_all(outputs, named[-1] if named else None, "--fix" in arguments):
        sys.stdout.write(f"{finding}\n")
        sys.stdout.flush()
        findings.append(finding)
    return int(any(finding.status == ERROR for finding in findings))
