"""``published.yaml``: what a publication claims, the numbers it reports, and where a study's own number comes from.

``claims`` have ``id``, ``statement``, ``source``, ``scales`` (those that can test it), ``tests`` (all must hold) and
``why`` other scales cannot. ``numbers`` have ``id``, ``quantity``, ``source``, and mostly ``value`` as published and
``obtained`` (:class:`ser.published.obtain.Place`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ser.errors import InputError
from ser.published.obtain import Place

PUBLISHED = "published.yaml"
#: What a test asks of the interval of a number, and of a p value, which has none.
ABOVE, BELOW, WITHIN, P_BELOW = "above", "below", "within", "p_below"
KINDS = (ABOVE, BELOW, WITHIN, P_BELOW)

Record = TypeVar("Record")


@dataclass(frozen=True)
class Condition:
    """What a claim asks of a number: its whole interval lies above or below ``than``, or within ``than`` ± ``margin``.

    Attributes:
        number: its id.
        kind: above, below, within, or p_below of a p value.
        than: what it is held against; of ``within`` by default the published value.
        margin: of ``within``.
    """

    number: str
    kind: str
    than: float | None = None
    margin: float | None = None


@dataclass(frozen=True)
class Claim:
    """What is claimed, and what would show it.

    Attributes:
        id: unique.
        statement: a sentence.
        source: where it is said, or what it is read off.
        tests: all of which must hold.
        scales: of the study at which it can be tested.
        why: it cannot at other scales.
    """

    id: str
    statement: str
    source: str
    tests: tuple[Condition, ...] = ()
    scales: tuple[str, ...] = ("full",)
    why: str = ""


@dataclass(frozen=True)
class Number:
    """A published number, and where its counterpart is found.

    Attributes:
        id: unique.
        quantity: what it is, with its unit.
        source: table or section; ours, if nobody published it.
        value: as published, or ``None``.
        sd: of repeats, if published.
        low, high: range, if published.
        n: repeats or clips that it is of.
        group: heading under which it is shown.
        obtained: where ours is.
        why: there is none of ours.
    """

    id: str
    quantity: str
    source: str
    value: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    group: str = ""
    obtained: Place | None = None
    why: str = ""


@dataclass(frozen=True)
class Publication:
    """All that ``published.yaml`` has.

    Attributes:
        title, source: of the publication.
        question: what it asked, and what the study repeats.
        differences: what we do otherwise, and why.
        claims, numbers: see there.
    """

    title: str
    source: str
    question: str
    differences: tuple[str, ...]
    claims: tuple[Claim, ...]
    numbers: tuple[Number, ...]


def read_publication(path: Path, steps: Iterable[str], scales: Iterable[str]) -> Publication:
    """Read and check ``published.yaml``.

    Args:
        path: of the file.
        steps: names of the study's steps.
        scales: names of its scales.

    Raises:
        InputError: names what is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    plain = make(Publication, content, f"{path}")
    numbers = tuple(read_number(item, path) for item in plain.numbers)
    claims = tuple(read_claim(item, path) for item in plain.claims)
    check_ids([number.id for number in numbers], path)
    check_ids([claim.id for claim in claims], path)
    known, own = {number.id: number for number in numbers}, set(steps)
    for number in numbers:
        if number.obtained is not None and number.obtained.step not in own:
            raise InputError(
                f"{path}: number {number.id}: step {number.obtained.step}", expected=", ".join(sorted(own))
            )
    for claim in claims:
        if unknown := set(claim.scales) - set(scales):
            raise InputError(f"{path}: claim {claim.id}: scales {unknown}", expected=", ".join(scales))
        for test in claim.tests:
            check_test(test, known.get(test.number), f"{path}: claim {claim.id}")
    return Publication(plain.title, plain.source, plain.question, tuple(plain.differences), claims, numbers)


def read_number(item: Any, path: Path) -> Number:
    """One published number."""
    number = make(Number, item, f"{path}: number {name(item)}")
    if number.obtained is None:
        return number
    place = make(Place, number.obtained, f"{path}: number {number.id}: obtained")
    if wrong := [key for key in (*place.where, *place.minus.get("where", {})) if not isinstance(key, str)]:
        raise InputError(
            f"{path}: number {number.id}: where: {wrong[0]!r}",
            expected="names of columns",
            remedy='put quotes around a name that YAML takes for something else: "true"',
        )
    return make(Number, {**item, "obtained": place}, "")


def read_claim(item: Any, path: Path) -> Claim:
    """One claim."""
    claim = make(Claim, item, f"{path}: claim {name(item)}")
    tests = tuple(make(Condition, test, f"{path}: claim {claim.id}: test") for test in claim.tests)
    return make(Claim, {**item, "tests": tests, "scales": tuple(claim.scales)}, "")


def check_test(test: Condition, number: Number | None, where: str) -> None:
    """Refuse a test of an unknown number, of an unknown kind, or without its margin."""
    if number is None or number.obtained is None:
        raise InputError(f"{where}: number {test.number}", expected="the id of a number with `obtained`")
    if test.kind not in KINDS:
        raise InputError(f"{where}: kind {test.kind}", expected=", ".join(KINDS))
    if test.kind == P_BELOW and (test.than is None or not 0 < test.than < 1):
        raise InputError(f"{where}: p_below", expected="than: a level between 0 and 1")
    if test.kind == WITHIN and (not test.margin or (test.than is None and number.value is None)):
        raise InputError(f"{where}: within", expected="a margin above 0, and than or a published value")


def check_ids(ids: list[str], path: Path) -> None:
    """Refuse an id that is no text, as a bare null is none, or that two have."""
    if wrong := [one for one in ids if not isinstance(one, str)]:
        raise InputError(f"{path}: id {wrong[0]}", expected="text, quoted where YAML takes it for something else")
    if doubled := sorted({one for one in ids if ids.count(one) > 1}):
        raise InputError(f"{path}: id {', '.join(doubled)}", expected="each id once")


def make(kind: type[Record], item: Any, where: str) -> Record:
    """A record from a mapping.

    Raises:
        InputError: it has unknown keys, or lacks some.
    """
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    needed = {key for key, each in known.items() if each.default is MISSING and each.default_factory is MISSING}
    if not isinstance(item, Mapping) or set(item) - set(known) or needed - set(item):
        found = ", ".join(map(str, item)) if isinstance(item, Mapping) else repr(item)
        optional = ", ".join(sorted(set(known) - needed))
        raise InputError(f"{where}: has {found}", expected=f"{', '.join(sorted(needed))}; perhaps {optional}")
    return kind(**item)


def name(item: Any) -> str:
    """The id of what is yet to be checked."""
    return str(item.get("id", item)) if isinstance(item, Mapping) else str(item)
