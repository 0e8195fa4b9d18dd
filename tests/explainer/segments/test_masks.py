from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ser.explainer.segments.masks import draw_bank, share_out, weigh_coins, weigh_masks, weigh_shapley


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_a_small_bank_has_every_mask_once(count):
    keep = draw_bank(count, 256, 0)
    assert len(keep) == 2**count == len(keep.unique(dim=0))


@given(count=st.integers(9, 70), masks=st.integers(2, 300), seed=st.integers(0, 50))
def test_a_larger_bank_has_singles_and_pairs_of_every_size(count, masks, seed):
    keep = draw_bank(count, masks, seed)
    wanted = max(masks, 6 * count)
    assert wanted - 1 <= len(keep) <= wanted
    rows = {tuple(row) for row in keep.tolist()}
    assert all(tuple(not stays for stays in row) in rows for row in rows)
    sizes = torch.bincount(keep.sum(1), minlength=count + 1)
    assert sizes[0] == sizes[count] == 1 and sizes[1] == sizes[count - 1] == count and sizes.min() > 0
    assert {tuple(row) for row in (~torch.eye(count, dtype=torch.bool)).tolist()} <= rows
    assert torch.equal(keep, draw_bank(count, masks, seed))


@given(total=st.integers(0, 200), wanted=st.lists(st.floats(1e-9, 1), min_size=1, max_size=20))
def test_shares_are_whole_and_sum_up(total, wanted):
    parts = share_out(total + len(wanted), np.array(wanted))
    assert parts.sum() == total + len(wanted) and parts.min() >= 1
    assert (np.abs(parts - 1 - total * np.array(wanted) / sum(wanted)) < 1 + 1e-9).all()


def test_masses_of_sizes():
    np.testing.assert_allclose(weigh_coins(5), [comb(5, size) / 32 for size in range(6)])
    assert weigh_coins(80, 0.2).sum() == pytest.approx(1)
    kernel = weigh_shapley(6)
    np.testing.assert_allclose(kernel[1:6] / kernel[1], [5 / (size * (6 - size)) for size in range(1, 6)])
    assert kernel.sum() == pytest.approx(1) and kernel[0] == kernel[6] == 0


def test_weights_share_the_mass_of_a_size():
    keep = draw_bank(40, 256, 0)
    weights = weigh_masks(keep, weigh_coins(40, 0.3))
    sizes = keep.sum(1)
    for size in (0, 1, 7, 20):
        assert weights[sizes == size].sum() == pytest.approx(weigh_coins(40, 0.3)[size])
    assert (weights[sizes == 12] == weights[sizes == 12][0]).all()
