"""``ser doctor``: is the installation sound, and what to do where it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser.doctor.around import check_corpora, check_disk, check_own, check_weights
from ser.doctor.finding import ERROR, Finding
from ser.doctor.packages import check_extras, check_packages, check_python
from ser.doctor.store import check_store
from ser.doctor.torch import check_opensmile, check_torch, set_extension_aside, start_look
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
        if argument != "--fix" and not argument.startswith(URI):
            raise InputError(f"{argument!r} is not an option", expected=f"--fix, {URI}…")
    outputs = Path(os.environ.get("SER_OUTPUTS", "outputs"))
    named = [argument.removeprefix(URI) for argument in arguments if argument.startswith(URI)]
    findings = []
    for finding in check_all(outputs, named[-1] if named else f"sqlite:///{outputs}/mlflow.db", "--fix" in arguments):
        sys.stdout.write(f"{finding}\n")
        sys.stdout.flush()
        findings.append(finding)
    return int(any(finding.status == ERROR for finding in findings))


def check_all(outputs: Path, uri: str, fix: bool) -> Iterator[Finding]:
    """All checks in order; those that take long run beside the others."""
    looking = start_look()
    yield check_python()
    yield from check_packages()
    yield check_extras()
    yield check_opensmile()
    yield check_disk(outputs)
    yield check_store(uri)
    yield from check_own()
    yield from check_corpora()
    yield check_weights()
    found = list(check_torch(looking))
    if fix and any(finding.status == ERROR and "torchaudio" in finding.text for finding in found):
        moved = set_extension_aside()
        sys.stdout.write(f"set aside: {len(moved)} compiled files of torchaudio that need CUDA libraries\n")
        found = list(check_torch(start_look()))
    yield from found
