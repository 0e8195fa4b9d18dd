"""The verdict on a claim.

A claim is **supported** if all its tests hold, **not supported** if one of them does not, and **cannot be tested at
this scale** if the scale is none of the claim's, or a number has no interval. A test holds where the whole 95 %
interval lies above ``than`` (``above``), below it (``below``), or within ``than`` ± ``margin`` (``within``); of a p
value, which has no interval, where it is below ``than`` (``p_below``). That nothing was shown is not the opposite of a
claim: the reason says which of both it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ser.published.obtain import Obtained
from ser.published.read import ABOVE, BELOW, P_BELOW, Claim, Condition, Number

SUPPORTED, UNSUPPORTED, UNTESTED = "supported", "not supported", "cannot be tested at this scale"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a claim, and why."""

    claim: str
    verdict: str
    reason: str


def judge(claim: Claim, scale: str, numbers: Mapping[str, Number], obtained: Mapping[str, Obtained]) -> Verdict:
    """The verdict on a claim.

    Args:
        claim: with its tests.
        scale: of the study.
        numbers: published, by id.
        obtained: ours, by id.
    """
    if not claim.tests:
        return Verdict(claim.id, UNTESTED, claim.why or "no test of it was defined")
    if scale not in claim.scales:
        return Verdict(claim.id, UNTESTED, claim.why or f"it takes the scale {' or '.join(claim.scales)}")
    found = [try_test(test, numbers[test.number], obtained[test.number]) for test in claim.tests]
    failed = [words for held, words in found if held is False]
    if failed:
        return Verdict(claim.id, UNSUPPORTED, "; ".join(failed))
    unknown = [words for held, words in found if held is None]
    if unknown:
        return Verdict(claim.id, UNTESTED, "; ".join(unknown))
    return Verdict(claim.id, SUPPORTED, "; ".join(words for _, words in found))


def try_test(test: Condition, number: Number, found: Obtained) -> tuple[bool | None, str]:
    """Whether a test holds (``None``: unknown), and why."""
    name = number.quantity
    if not found.known:
        return None, f"{name}: {found.reason or 'no number'}"
    if test.kind == P_BELOW:
        return found.value < find_than(test, number), f"{name} is {found.value:.3g}"
    if not found.bounded:
        return None, f"{name}: {found.value:.3g} has no interval"
    shown = f"{name}: {found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"
    low, high = find_range(test, number)
    if low < found.low and found.high < high:
        return True, f"{shown} lies {describe_test(test, number)}"
    if found.high <= low or high <= found.low:
        return False, f"{shown} does not lie {describe_test(test, number)}, but beyond"
    return False, f"{shown} does not show that it lies {describe_test(test, number)}"


def find_range(test: Condition, number: Number) -> tuple[float, float]:
    """Where the interval must lie."""
    than = find_than(test, number)
    if test.kind == ABOVE:
        return than, float("inf")
    if test.kind == BELOW:
        return float("-inf"), than
    margin = test.margin or 0.0
    return than - margin, than + margin


def find_than(test: Condition, number: Number) -> float:
    """What a number is held against: what the test says; else, of ``within``, the published value, of others 0."""
    if test.than is not None:
        return test.than
    return 0.0 if test.kind in (ABOVE, BELOW) or number.value is None else number.value


def describe_test(test: Condition, number: Number) -> str:
    """A test in words."""
    than = find_than(test, number)
    if test.kind == P_BELOW:
        return f"below {than:g}"
    return f"{test.kind} {than:g}" + ("" if test.kind in (ABOVE, BELOW) else f" ± {test.margin:g}")


def describe_rule(claim: Claim, numbers: Mapping[str, Number]) -> str:
    """What a claim takes, in words."""
    return "; ".join(
        f"{numbers[test.number].quantity} {describe_test(test, numbers[test.number])}" for test in claim.tests
    )
