"""Python, the packages that ``ser`` needs, and those it was tested with."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ser import __version__
from ser.doctor.finding import ERROR, OK, WARNING, Finding
from ser.paths import PACKAGE

#: Versions that are tested together; in a checkout only.
CONSTRAINTS = PACKAGE.parent / "constraints.txt"
#: Optional parts that only who works on ``ser`` needs.
DEVELOPMENT = ("dev", "docs")


def check_python() -> Finding:
    """Python, against what the package asks for."""
    found, wanted = platform.python_version(), metadata("ser")["Requires-Python"]
    text = f"ser {__version__}, Python {found}, {platform.system()} {platform.machine()}"
    if found in SpecifierSet(wanted):
        return Finding(OK, text)
    return Finding(ERROR, f"{text}: Python {wanted} is needed", "make PYTHON=python3.11 install")


def check_packages() -> Iterator[Finding]:
    """What ``ser`` requires: missing or too old is an error, another version than the tested one a warning."""
    needed = [item for item in map(Requirement, requires("ser") or []) if not is_extra(item)]
    wrong = [f"{item} (found {find_version(item.name) or 'none'})" for item in needed if not is_met(item)]
    if wrong:
        yield Finding(
            ERROR, f"packages that ser cannot do without: {', '.join(wrong)}", "make install, or pip install ser"
        )
        return
    pins = read_pins(CONSTRAINTS) if CONSTRAINTS.is_file() else {}
    pairs = [(item.name, find_version(item.name), pins.get(normalise(item.name))) for item in needed]
    other = [f"{name} {found} (tested: {pin})" for name, found, pin in pairs if pin and found != pin]
    if other:
        yield Finding(WARNING, f"other versions than the tested ones: {', '.join(other)}", "make install")
        return
    yield Finding(OK, f"{len(needed)} packages" + (" in the tested versions" if pins else " as required"))


def check_extras() -> Finding:
    """Which of the optional parts are installed."""
    parts: dict[str, list[Requirement]] = {}
    for item in filter(is_extra, map(Requirement, requires("ser") or [])):
        for name in re.findall(r"extra == ['\"](\w+)['\"]", str(item.marker)):
            parts.setdefault(name, []).append(item)
    parts = {name: items for name, items in parts.items() if name not in DEVELOPMENT}
    there = [name for name, items in parts.items() if all(map(is_met, items))]
    missing = [name for name in parts if name not in there]
    text = f"optional parts: {', '.join(there) or 'none'}"
    return Finding(
        OK, text + (f"; not installed: {', '.join(missing)} (pip install 'ser[{missing[0]}]')" if missing else "")
    )


def is_extra(item: Requirement) -> bool:
    """Whether a requirement is one of an optional part."""
    return item.marker is not None and "extra" in str(item.marker)


def is_met(item: Requirement) -> bool:
    """Whether what is installed fulfils a requirement; local versions such as ``2.9+cpu`` count as theirs."""
    return item.specifier.contains(find_version(item.name) or "0", prereleases=True) and bool(find_version(item.name))


def find_version(name: str) -> str:
    """The installed version of a package without its local part; empty if there is none."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return ""


def read_pins(path: Path) -> dict[str, str]:
    """Package → version of a constraints file."""
    pairs = (line.split("==") for line in path.read_text(encoding="utf-8").splitlines() if "==" in line)
    return {normalise(name): pin.partition(";")[0].partition("+")[0].strip() for name, pin in pairs}


def normalise(name: str) -> str:
    """A package's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
