import numpy as np
import torch
from evaluation_tools import BANDS, FRAMES, make_clip, make_map, make_probe, make_subject
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.explainer.attribution import Attribution
from ser.explainer.evaluation.project import find_bands, project, share_out

SUBJECT = make_subject()
CLIP = make_clip(SUBJECT)
PROBE = make_probe(SUBJECT, CLIP)


def make_coarse(values, times, step, freqs=None):
    return Attribution("a", "m", np.asarray(values, float), np.asarray(times), freqs, step, "a", "a", "a", 1.0)


def test_a_map_on_the_inputs_cells_is_summed_in_each_cell():
    values = np.random.default_rng(0).normal(size=(BANDS, FRAMES))
    expected = PROBE.cells.sum(torch.from_numpy(values)[None])[0].numpy()
    assert np.allclose(PROBE.project(make_map(SUBJECT, CLIP, values)), expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.floats(0.005, 0.3), st.floats(-0.2, 0.5))
def test_no_relevance_is_lost_or_made(count, step, first):
    values = np.random.default_rng(count).normal(size=count)
    found = project(make_coarse(values, first + np.arange(count) * step, step), PROBE.cells)
    assert np.isclose(found.sum(), values.sum())
    banded = np.random.default_rng(count).normal(size=(3, count))
    freqs = np.array([200.0, 1000.0, 5000.0])
    found = project(make_coarse(banded, np.arange(count) * step, step, freqs), PROBE.cells, SUBJECT.spectrogram.freqs)
    assert np.isclose(found.sum(), banded.sum())


def test_a_map_without_frequencies_is_spread_over_bands():
    found = project(make_coarse([4.0], [0.02], 0.05), PROBE.cells).reshape(PROBE.cells.shape)
    assert np.allclose(found[:, 0], 1.0) and np.allclose(found[:, 1:], 0.0)


def test_a_coarse_cell_is_divided_by_overlap():
    edges = PROBE.cells.edges
    found = project(make_coarse([1.0], [edges[1]], 0.05), PROBE.cells).reshape(PROBE.cells.shape).sum(0)
    assert np.allclose(found[:2], 0.5)


def test_time_is_that_of_the_file():
    times = SUBJECT.find_grid(CLIP.inputs).times
    values = np.random.default_rng(0).normal(size=len(times))
    here = project(make_coarse(values, times, 0.01), PROBE.cells)
    later = project(make_coarse(values, times + 0.7, 0.01), PROBE.cells, offset=0.7)
    assert np.allclose(here, later)


def test_what_lies_outside_belongs_to_the_outermost_cells():
    shares = share_out(np.array([[-2.0, -1.0], [9.0, 11.0]]), np.array([0.0, 1.0, 2.0]))
    assert np.allclose(shares, [[1, 0], [0, 1]])


def test_bands_meet_halfway():
    assert np.allclose(find_bands(np.array([1.0, 3.0, 7.0])), [[0, 2], [2, 5], [5, 9]])
