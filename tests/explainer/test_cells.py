import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.backbone.mel_cnn import MelCNN
from ser.errors import InputError
from ser.explainer.cells import cut_cells, make_cells
from ser.explainer.subject import Subject

RATE = 8000


@pytest.fixture(scope="module")
def hears():
    """Hears waveforms."""
    return Subject(("a", "b"), RATE, network=nn.Identity())


@pytest.fixture(scope="module")
def sees():
    """Sees spectrograms of 16 bands, a frame each 15 ms."""
    trunk = MelCNN(rate=RATE, mels=16, fft=512, window=240, hop=120, width=2).build()
    return Subject(("a", "b"), RATE, network=nn.Identity(), trunk=trunk)


def test_equal_cells_of_a_waveform(hears):
    cells = make_cells(hears, torch.zeros(2, 960), seconds=0.05)
    assert cells.shape == (2,) and cells.labels.shape == (960,) and cells.grid.freqs is None
    np.testing.assert_allclose(cells.edges, [0, 0.05, 0.12])  # the rest of 20 ms is less than half a cell
    np.testing.assert_allclose(cells.grid.times, [0.025, 0.085])


@pytest.mark.parametrize(("length", "sizes"), [(100, [100]), (400, [400]), (599, [599]), (600, [400, 200])])
def test_a_rest_of_half_a_cell_is_one(hears, length, sizes):
    assert make_cells(hears, torch.zeros(1, length), seconds=0.05).sizes.tolist() == sizes


def test_tiles_of_a_spectrogram(sees):
    cells = make_cells(sees, torch.zeros(1, 16, 40), seconds=0.15, bands=4)
    assert cells.shape == (4, 4) and cells.count == 16
    assert (cells.labels[:4, :10] == 0).all() and (cells.labels[:4, 10:20] == 1).all() and cells.labels[4, 0] == 4
    # Frame i is centred at i * step: the first ten lie about 4.5 steps.
    np.testing.assert_allclose(cells.grid.times, [0.0675, 0.2175, 0.3675, 0.5175])
    assert cells.grid.step == pytest.approx(0.15) and len(cells.grid.freqs) == 4
    assert (np.diff(cells.grid.freqs) > 0).all()


def test_cells_of_a_spectrogram_may_span_all_bands(sees):
    cells = make_cells(sees, torch.zeros(1, 16, 40), seconds=0.15, bands=1)
    assert cells.shape == (4,) and cells.labels.shape == (16, 40) and cells.grid.freqs is None


def test_cells_between_given_times(hears, sees):
    cells = cut_cells(hears, torch.zeros(1, 1000), [0.0, 0.05, 0.1, 0.3, 0.10001])
    np.testing.assert_allclose(cells.edges, [0, 0.05, 0.1, 0.125])
    assert cells.sizes.tolist() == [400, 400, 200]
    spectral = cut_cells(sees, torch.zeros(1, 16, 40), [0.0675 + 0.075, 0.3], bands=2)
    assert spectral.shape == (2, 3)
    assert spectral.labels[0].tolist() == [0] * 10 + [1] * 10 + [2] * 20 and spectral.labels[15, 0] == 3


@settings(deadline=None, max_examples=40)
@given(
    length=st.integers(1, 300),
    edges=st.lists(st.floats(-0.1, 0.6), max_size=6),
    bands=st.integers(1, 16),
    seed=st.integers(0, 99),
)
def test_sums_take_back_what_was_spread(sees, length, edges, bands, seed):
    cells = cut_cells(sees, torch.zeros(1, 16, length), edges, bands)
    assert cells.sizes.min() > 0 and cells.sizes.sum() == 16 * length and len(cells.sizes) == cells.count
    values = torch.randn(3, cells.count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(cells.sum(cells.spread(values)), values)
    torch.testing.assert_close(cells.sum(cells.expand(values)), values * cells.sizes)
    assert len(cells.grid.times) == cells.shape[-1] and (np.diff(cells.grid.times) > 0).all()


def test_masks_expand(hears):
    cells = make_cells(hears, torch.zeros(1, 800), seconds=0.05)
    keep = cells.expand(torch.tensor([[True, False], [True, True]]))
    assert keep.dtype == torch.bool and keep.shape == (2, 800) and keep[0, :400].all() and not keep[0, 400:].any()
    assert cells.sum(keep).tolist() == [[400, 0], [400, 400]]


def test_what_is_no_partition_is_refused(hears, sees):
    with pytest.raises(InputError, match="0 s"):
        make_cells(hears, torch.zeros(1, 10), seconds=0)
    with pytest.raises(InputError, match="17 parts of 16 bands"):
        make_cells(sees, torch.zeros(1, 16, 10), bands=17)
