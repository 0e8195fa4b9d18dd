"""Numbers are found where a place says, averaged over its unit, and say why when they are not there."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ser.errors import InputError
from ser.published.obtain import Obtained, Place, average, obtain


@pytest.fixture
def sweep(tmp_path):
    """A sweep of two models and three seeds, with metrics and a table each."""
    jobs = []
    for number, (model, seed) in enumerate((model, seed) for model in "ab" for seed in (1, 2, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        score = (0.5 if model == "a" else 0.7) + 0.01 * seed
        (folder / "metrics.json").write_text(
            json.dumps({"test/uar": score, "test/uar_ci_low": 0.4, "test/uar_ci_high": 0.9})
        )
        frame = pd.DataFrame({"speaker": ["x", "x", "y"], "true": list("ppq"), "predicted": list("pqq")})
        frame.to_parquet(folder / "predictions.parquet")
        jobs.append({"job": number, "run_dir": str(number), "overrides": {"model": model, "seed": str(seed)}})
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    return str(tmp_path)


def test_one_job_has_its_own_interval(sweep):
    place = Place(
        "s",
        "test/uar",
        jobs=True,
        where={"model": "a", "seed": 2},
        low="test/uar_ci_low",
        high="test/uar_ci_high",
        times=100,
    )
    assert obtain(place, sweep) == Obtained(52.0, 40.0, 90.0, "speakers")


def test_a_mean_over_seeds_has_students_interval(sweep):
    found = obtain(Place("s", "test/uar", jobs=True, where={"model": "a"}, over="seed"), sweep)
    low, high = stats.t.interval(0.95, 2, 0.52, 0.01 / np.sqrt(3))
    assert (found.value, found.low, found.high) == pytest.approx((0.52, low, high)) and found.units == "3 seeds"


def test_differences_are_of_the_same_seed(sweep):
    found = obtain(
        Place("s", "test/uar", jobs=True, where={"model": "b"}, over="seed", minus={"where": {"model": "a"}}), sweep
    )
    assert found.value == pytest.approx(0.2) and not found.bounded and found.units == "3 seeds, all alike"


def test_predictions_are_right_or_wrong(sweep):
    found = obtain(Place("s", "correct", file="predictions.parquet", jobs=True, over="speaker"), sweep)
    assert found.value == pytest.approx(0.75) and found.bounded and found.units == "2 speakers"


def test_json_lists_and_lists_of_levels(tmp_path):
    rows = [
        {"factor": "f", "by": None, "estimate": 1.5},
        {"factor": "f", "by": {"g": 1}, "estimate": 9},
        {"factor": "h", "by": None, "estimate": 2.5},
    ]
    (tmp_path / "statistics.json").write_text(json.dumps({"deep": {"contrasts": rows}}))
    place = Place(
        "s", "estimate", file="statistics.json", at="deep.contrasts", where={"factor": ["f", "z"], "by": None}, times=-1
    )
    found = obtain(place, str(tmp_path))
    assert found.value == -1.5 and found.known and not found.bounded


def test_what_is_not_there_has_a_reason_and_what_is_wrong_is_refused(sweep):
    assert "not there" in obtain(Place("s", "x", file="nothing.csv"), sweep).reason
    assert "no row" in obtain(Place("s", "test/uar", jobs=True, where={"model": "c"}), sweep).reason
    with pytest.raises(InputError, match="no column nothing"):
        obtain(Place("s", "nothing", jobs=True, where={"job": 0}), sweep)
    with pytest.raises(InputError, match="no column day"):
        obtain(Place("s", "test/uar", jobs=True, where={"day": 1}), sweep)
    with pytest.raises(InputError, match="6 rows"):
        obtain(Place("s", "test/uar", jobs=True), sweep)


@settings(deadline=None)  # the first call imports
@given(
    st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=2, max_size=8),
    st.floats(0.1, 10),
    st.sampled_from(["speaker", "seed"]),
)
def test_an_interval_holds_its_mean_and_goes_with_the_unit_of_measure(values, times, unit):
    series, units = pd.Series(values), pd.Series([str(place) for place in range(len(values))])
    one = average(series, units, Place("s", "v", over=unit))
    assert one.bounded == (np.ptp(values) > 1e-9 * abs(np.mean(values)))
    assert not one.bounded or one.low <= one.value + 1e-9 <= one.high + 2e-9
    other = average(series, units, Place("s", "v", over=unit, times=-times))
    mirrored = (-times * one.value, -times * one.high, -times * one.low)
    assert (other.value, other.low, other.high) == pytest.approx(mirrored, nan_ok=True)


def test_one_unit_has_no_interval():
    found = average(pd.Series([1.0, 2.0]), pd.Series(["a", "a"]), Place("s", "v", over="seed"))
    assert found.value == 1.5 and not found.bounded
