import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cue.heard import Heard
from ser.cue.region import draw_lags, find_region, lay_over, project_relevance, shift_region

RATE = 16000


def hear(relevance, step, offset=0.0, start=None, seconds=1.0):
    """A clip with a map whose first cell begins at ``start`` s of the file (by default with the clip)."""
    relevance = np.asarray(relevance, dtype=float)
    times = (offset if start is None else start) + (np.arange(len(relevance)) + 0.5) * step
    wave = np.full(round(seconds * RATE), 0.1, np.float32)
    return Heard("c", "s", "anger", wave, RATE, "anger", offset, relevance, times, step)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=60),
    st.sampled_from([0.01, 0.015, 0.02, 0.064]),
    st.floats(-0.3, 3),
)
@settings(max_examples=60, deadline=None)
def test_relevance_is_kept_whatever_the_steps_and_the_offset(values, step, offset):
    heard = hear(values, step, offset, seconds=len(values) * step + 0.01)
    mass, made = project_relevance(heard, round(len(heard.waveform) / RATE / 0.01) + 2)
    centres = offset + (np.arange(len(mass)) + 0.5) * 0.01
    assert made[(centres > offset + 0.01) & (centres < offset + len(values) * step - 0.01)].all()
    lost = 2 * max(abs(np.array(values))) * min(1, 0.01 / step)  # of frames that the map covers in part
    assert abs(mass.sum() - sum(values)) <= lost + 1e-6


@pytest.mark.parametrize("step", [0.01, 0.015, 0.02, 0.025])
@pytest.mark.parametrize("offset", [0.0, 0.2, 1.37])
def test_an_impulse_stays_where_it_is_on_the_files_time_axis(step, offset):
    cells = np.zeros(int(1 / step))
    cells[len(cells) // 2] = 1.0
    heard = hear(cells, step, offset)
    mass, _ = project_relevance(heard, 100)
    assert (mass @ (np.arange(100) + 0.5)) * 0.01 + offset == pytest.approx(heard.times[len(cells) // 2], abs=0.003)


def test_a_map_on_another_time_axis_moves_the_region():
    """0.2 s of leading silence trimmed and forgotten: cues would be taken 0.2 s too early."""
    cells = np.zeros(80)
    cells[40:50] = 1.0
    right = hear(cells, 0.01, offset=0.2)
    wrong = hear(cells, 0.01, offset=0.2, start=0.0)
    found = [np.flatnonzero(find_region(project_relevance(heard, 80)[0], 0.9)) for heard in (right, wrong)]
    assert found[0].min() == 40
    assert found[1].min() == 20


def test_padding_is_no_place():
    heard = hear(np.ones(100), 0.01)
    heard.waveform[:1600] = 0
    heard.waveform[-3200:] = 0
    _, made = project_relevance(heard, 100)
    assert np.flatnonzero(made)[[0, -1]].tolist() == [10, 79]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.floats(0.05, 1.0))
def test_the_region_is_the_smallest_that_holds_the_share(values, quantile):
    mass = np.array(values)
    positive = np.where(mass > 1e-6, mass, 0)
    mass = positive
    region = find_region(mass, quantile)
    if positive.sum() == 0:
        assert not region.any()
        return
    assert positive[region].sum() >= quantile * positive.sum() * (1 - 1e-9)
    weakest = positive[region].min()
    assert positive[region].sum() - weakest < quantile * positive.sum() * (1 + 1e-6)
    assert (positive[~region] <= weakest * (1 + 1e-6)).all()


@given(st.integers(2, 40), st.integers(1, 60), st.integers(0, 1000))
def test_moved_regions_keep_shape_and_stay_where_a_map_was_made(frames, shifts, seed):
    rng = np.random.default_rng(seed)
    made = np.zeros(frames + 6, bool)
    made[3:-3] = True
    region = made & (rng.random(frames + 6) < 0.4)
    lags = draw_lags(frames, shifts, rng)
    moved = shift_region(region, made, lags)
    assert len(lags) == min(shifts, frames - 1) == len(set(lags.tolist()))
    assert 0 not in lags
    assert (moved.sum(axis=1) == region.sum()).all()
    assert not moved[:, ~made].any()
    ring = region[3:-3]
    for row, lag in zip(moved[:, 3:-3], lags, strict=True):
        assert (row == np.roll(ring, lag)).all()


def test_a_region_laid_over_a_clip_of_another_length():
    region = np.zeros(100, bool)
    region[20:40] = True
    laid = lay_over(region, np.ones(100, bool), 50, 5)
    assert laid.shape == (5, 50)
    assert (laid.sum(axis=1) == 10).all()
    assert np.flatnonzero(laid[0])[[0, -1]].tolist() == [10, 19]
