"""``ser doctor``: is the installation sound, and what to do where it is not."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ser.doctor import check_opensmile, check_torchaudio, set_extension_aside

USAGE = "usage: ser doctor [--fix]\n\nChecks the installation; --fix mends what can be mended."


def main(arguments: Sequence[str]) -> int:
    """Print one line a check; 1 if any is an error."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    if "--fix" in arguments and check_torchaudio().status == "error":
        moved = set_extension_aside()
        sys.stdout.write(f"set aside: {len(moved)} compiled files of torchaudio that need CUDA libraries; {WITHOUT}\n")
    findings = [check_torchaudio(), check_opensmile()]
    for finding in findings:
        sys.stdout.write(f"{finding.status:<8}{finding.text}\n")
    return int(any(finding.status == "error" for finding in findings))


WITHOUT = "its pure PyTorch paths, the only ones ser uses, work without"
