"""The rule of verdicts: it says one of three things, and never more than the interval does."""

import math

from hypothesis import given
from hypothesis import strategies as st

from ser.published.judge import SUPPORTED, UNSUPPORTED, UNTESTED, describe_rule, judge
from ser.published.obtain import Obtained, Place
from ser.published.read import Claim, Condition, Number

FINITE = st.floats(-100, 100)
INTERVALS = st.tuples(FINITE, FINITE).map(sorted)


def number(name="x", value=None):
    return Number(name, name, "here", value, obtained=Place("s", "v"))


def obtained(low, high):
    return Obtained((low + high) / 2, low, high)


def ask(found, kind, than=None, margin=None, scale="full", value=None):
    claim = Claim("c", "it is so", "here", (Condition("x", kind, than, margin),), ("full",))
    return judge(claim, scale, {"x": number(value=value)}, {"x": found})


@given(INTERVALS, FINITE)
def test_above_means_all_of_the_interval(ends, than):
    assert (ask(obtained(*ends), "above", than).verdict == SUPPORTED) == (ends[0] > than)


@given(INTERVALS, FINITE)
def test_below_is_above_in_the_mirror(ends, than):
    low, high = ends
    mirrored = ask(obtained(-high, -low), "above", -than)
    assert ask(obtained(low, high), "below", than).verdict == mirrored.verdict


@given(INTERVALS, FINITE)
def test_above_and_below_exclude_each_other(ends, than):
    found = [ask(obtained(*ends), kind, than).verdict for kind in ("above", "below")]
    assert found.count(SUPPORTED) <= 1


@given(INTERVALS, FINITE, st.floats(0.01, 50))
def test_within_excludes_beyond(ends, than, margin):
    inside = ask(obtained(*ends), "within", than, margin).verdict
    outside = [
        ask(obtained(*ends), kind, edge).verdict for kind, edge in (("above", than + margin), ("below", than - margin))
    ]
    assert not (inside == SUPPORTED and SUPPORTED in outside)


@given(INTERVALS, FINITE, st.floats(0.01, 50), st.floats(0, 1), st.sampled_from(["above", "below", "within"]))
def test_a_narrower_interval_loses_nothing(ends, than, margin, share, kind):
    low, high = ends
    middle = (low + high) / 2
    narrow = obtained(middle - share * (middle - low), middle + share * (high - middle))
    if ask(obtained(low, high), kind, than, margin).verdict == SUPPORTED:
        assert ask(narrow, kind, than, margin).verdict == SUPPORTED


@given(INTERVALS, FINITE, st.floats(0.01, 50), st.sampled_from(["above", "below", "within"]))
def test_no_other_scale_and_no_number_without_interval_tells_anything(ends, than, margin, kind):
    assert ask(obtained(*ends), kind, than, margin, scale="smoke").verdict == UNTESTED
    assert ask(Obtained(ends[0]), kind, than, margin).verdict == UNTESTED
    assert ask(Obtained(reason="step s failed"), kind, than, margin).verdict == UNTESTED


@given(st.lists(INTERVALS, min_size=1, max_size=4))
def test_a_claim_holds_if_all_its_tests_do(intervals):
    names = [f"n{place}" for place in range(len(intervals))]
    claim = Claim("c", "so", "here", tuple(Condition(name, "above") for name in names))
    found = {name: obtained(*ends) for name, ends in zip(names, intervals, strict=True)}
    verdict = judge(claim, "full", {name: number(name) for name in names}, found).verdict
    assert (verdict == SUPPORTED) == all(low > 0 for low, _ in intervals)
    assert verdict in (SUPPORTED, UNSUPPORTED)


def test_reasons_tell_the_opposite_from_nothing():
    assert "but beyond" in ask(obtained(-2, -1), "above").reason
    assert "does not show" in ask(obtained(-2, 1), "above").reason
    assert "lies above 0" in ask(obtained(1, 2), "above").reason
    assert "step s failed" in ask(Obtained(reason="step s failed"), "above").reason
    assert ask(obtained(9, 11), "within", margin=2.0, value=10.0).verdict == SUPPORTED


def test_p_values_have_no_interval():
    assert ask(Obtained(0.01), "p_below", 0.05).verdict == SUPPORTED
    assert ask(Obtained(0.2), "p_below", 0.05).verdict == UNSUPPORTED
    assert ask(Obtained(math.nan), "p_below", 0.05).verdict == UNTESTED


def test_a_failing_test_decides_whatever_else_is_missing():
    claim = Claim("c", "so", "here", (Condition("x", "above"), Condition("y", "above")))
    numbers = {"x": number("x"), "y": number("y")}
    found = {"x": obtained(-2, -1), "y": Obtained(reason="gone")}
    assert judge(claim, "full", numbers, found).verdict == UNSUPPORTED
    found["x"] = obtained(1, 2)
    assert judge(claim, "full", numbers, found).verdict == UNTESTED
    assert describe_rule(claim, numbers) == "x above 0; y above 0"
    assert judge(Claim("c", "so", "here"), "full", {}, {}).verdict == UNTESTED
