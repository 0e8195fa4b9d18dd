"""Against theory: values of games that are known, and axioms against brute force."""

from itertools import combinations
from math import comb

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.errors import InputError
from ser.explainer.segments.estimators import Banzhaf, KernelShap, LeaveOneOut, Lime, Rise
from ser.explainer.segments.masks import draw_bank

ALL = [LeaveOneOut(), KernelShap(), Lime(ridge=0.0), Banzhaf(), Rise()]


def compute_brute_force(game, count, weigh):
    """Mean of what each segment adds to sets of the others, by the definition."""
    values = torch.zeros(count, dtype=torch.float64)
    for one in range(count):
        others = [other for other in range(count) if other != one]
        for size in range(count):
            for chosen in combinations(others, size):
                without = torch.zeros(1, count, dtype=torch.bool)
                without[0, list(chosen)] = True
                with_it = without.clone()
                with_it[0, one] = True
                values[one] += weigh(size) * (game(with_it) - game(without))[0]
    return values


def make_game(count, seed):
    """A random number for each set of segments."""
    table = torch.randn(2**count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return lambda keep: table[(keep.long() << torch.arange(count)).sum(1)]


@pytest.mark.parametrize("estimator", ALL, ids=lambda one: type(one).__name__)
@settings(deadline=None, max_examples=20)
@given(parts=st.lists(st.floats(-5, 5), min_size=1, max_size=7), constant=st.floats(-3, 3))
def test_parts_of_a_sum_are_found(estimator, parts, constant):
    parts = torch.tensor(parts, dtype=torch.float64)
    keep = draw_bank(len(parts), 256, 0)
    found = estimator.estimate(keep, constant + keep.double() @ parts)
    torch.testing.assert_close(found, parts, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("estimator", ALL[:-1], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("count", [12, 30, 60])
def test_parts_of_a_sum_are_found_in_a_sample(estimator, count):
    parts = torch.randn(count, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    keep = draw_bank(count, 256, 2)
    torch.testing.assert_close(estimator.estimate(keep, keep.double() @ parts - 1), parts, atol=1e-7, rtol=1e-7)


def test_rise_nears_the_parts_with_more_masks():
    parts = torch.randn(20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def miss(masks):
        keeps = [draw_bank(20, masks, seed) for seed in range(8)]
        return torch.stack([Rise().estimate(keep, keep.double() @ parts) - parts for keep in keeps]).square().mean()

    assert miss(4096) < miss(256) / 8


@pytest.mark.parametrize("count", [2, 3, 6])
def test_every_mask_gives_exact_shapley_values(count):
    game = make_game(count, count)
    keep = draw_bank(count, 256, 0)
    truth = compute_brute_force(game, count, lambda size: 1 / (count * comb(count - 1, size)))
    found = KernelShap().estimate(keep, game(keep))
    torch.testing.assert_close(found, truth, atol=1e-6, rtol=0)
    everything = torch.ones(1, count, dtype=torch.bool)
    assert found.sum() == pytest.approx(float(game(everything) - game(~everything)), abs=1e-9)


@pytest.mark.parametrize("estimator", [Banzhaf(), Rise()])
@pytest.mark.parametrize("count", [2, 6])
def test_every_mask_gives_exact_banzhaf_values(estimator, count):
    game = make_game(count, 10 + count)
    keep = draw_bank(count, 256, 0)
    truth = compute_brute_force(game, count, lambda size: 0.5 ** (count - 1))
    torch.testing.assert_close(estimator.estimate(keep, game(keep)), truth, atol=1e-6, rtol=0)


@settings(deadline=None, max_examples=20)
@given(count=st.integers(2, 50), seed=st.integers(0, 1000))
def test_shapley_values_of_a_sample_sum_up_exactly(count, seed):
    keep = draw_bank(count, 128, seed)
    margins = torch.randn(len(keep), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    sizes = keep.sum(1)
    difference = float(margins[sizes == count] - margins[sizes == 0])
    assert KernelShap().estimate(keep, margins).sum() == pytest.approx(difference, abs=1e-8)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_segments_that_do_the_same_are_worth_the_same_and_idle_ones_nothing(seed):
    """Of 6 segments, the first two are interchangeable and the last one does nothing."""
    inner = make_game(5, seed)

    def play(keep):
        swapped = keep[:, [1, 0, 2, 3, 4]]
        return inner(keep[:, :5]) + inner(swapped)

    keep = draw_bank(6, 256, 0)
    for estimator in ALL:
        values = estimator.estimate(keep, play(keep))
        assert values[0] == pytest.approx(float(values[1]), abs=1e-8)
        # LIME's weights tie segments to each other, so that an idle one gets a little of what others do together.
        assert isinstance(estimator, Lime) or values[5] == pytest.approx(0, abs=1e-8)


def test_samples_near_exact_shapley_values():
    """A game of pairs of 12 segments, whose Shapley values are known: each has half of its pairs."""
    weights = torch.randn(12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).triu(1)
    own = torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    truth = own + (weights + weights.T).sum(1) / 2
    keep = draw_bank(12, 512, 0)
    x = keep.double()
    found = KernelShap().estimate(keep, x @ own + ((x @ weights) * x).sum(1))
    # In antithetic pairs the pairwise part of a game cancels out.
    torch.testing.assert_close(found, truth, atol=1e-8, rtol=0)


def test_lime_looks_at_masks_near_the_whole_clip():
    """A segment that matters only while nearly all others are there is worth more to LIME than on average."""
    keep = draw_bank(8, 256, 0)
    margins = (keep[:, 0] & (keep.sum(1) >= 7)).double()
    local, anywhere = (one.estimate(keep, margins)[0] for one in (Lime(width=0.1), Banzhaf()))
    assert local > 2 * anywhere > 0


def test_a_ridge_shrinks():
    keep = draw_bank(6, 256, 0)
    margins = keep.double() @ torch.arange(6, dtype=torch.float64)
    sizes = [Lime(ridge=ridge).estimate(keep, margins).norm() for ridge in (0.0, 0.01, 1.0)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_leaving_one_out_reads_few_masks():
    keep = draw_bank(30, 256, 0)
    assert LeaveOneOut().choose(keep).sum() == 31 and KernelShap().choose(keep).all()


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match="share"):
        Rise(share=1.0)
    with pytest.raises(InputError, match="ridge"):
        Lime(ridge=-1.0)
