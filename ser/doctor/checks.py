"""All checks in order. One that fails itself is a finding, too: the others still say what they find."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ser.doctor.around import check_corpora, check_disk, check_own, check_weights
from ser.doctor.finding import ERROR, Finding
from ser.doctor.packages import check_extras, check_packages, check_python
from ser.doctor.store import check_place, check_store, find_uri
from ser.doctor.torch import check_opensmile, check_torch, set_extension_aside, start_look

INSTALL = "make install, or pip install ser"


def check_all(outputs: Path, uri: str | None, fix: bool) -> Iterator[Finding]:
    """What there is to say; checks that take long run beside the others.

    Args:
        outputs: folder of runs.
        uri: of the store; ``None`` for the one that ``tracking`` chooses here.
        fix: mend what can be mended.
    """
    looking = start_look()
    for check in (check_python, check_packages, check_extras, check_opensmile):
        yield from attempt(check)
    yield from attempt(lambda: check_disk(outputs))
    yield from attempt(lambda: check_tracking(uri or find_uri(outputs), outputs))
    for check in (check_own, check_corpora, check_weights):
        yield from attempt(check)
    found = list(check_torch(looking))
    if fix and any(finding.status == ERROR and "torchaudio" in finding.text for finding in found):
        moved = set_extension_aside()
        sys.stdout.write(f"set aside: {len(moved)} compiled files of torchaudio that need CUDA libraries\n")
        found = list(check_torch(start_look()))
    yield from found


def check_tracking(uri: str, outputs: Path) -> Iterator[Finding]:
    """The store of runs, and whether it can grow where it lies."""
    yield check_store(uri)
    yield from check_place(uri, outputs)


def attempt(check: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds, or why it could not be made."""
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except ImportError as error:
        yield Finding(ERROR, f"{error.name or 'a package'} cannot be imported ({first_line(error)})", INSTALL)
    except Exception as error:  # whatever is broken: the other lines are wanted all the more
        yield Finding(ERROR, f"a check broke off: {type(error).__name__}: {first_line(error)}", INSTALL)


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return str(error).strip().partition("\n")[0] or "no message"
