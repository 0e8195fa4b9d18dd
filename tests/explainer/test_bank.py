import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ser.errors import InputError
from ser.explainer.bank import draw_masks, score_masks
from ser.explainer.base import margin
from ser.explainer.cells import make_cells
from ser.explainer.fill import Filler
from ser.explainer.subject import Subject


class Loudness(nn.Module):
    """Two logits: mean square, and its opposite; counts clips."""

    asked = 0

    def forward(self, x):
        self.asked += len(x)
        level = x.square().mean(-1)
        return torch.stack([level, -level], -1)


@given(count=st.integers(1, 60), n=st.integers(1, 40), seed=st.integers(0, 99))
def test_shares_removed(count, n, seed):
    keep = draw_masks(count, n, seed, (0.1, 0.4))
    removed = (~keep).sum(1)
    assert keep.shape == (n, count) and keep.dtype == torch.bool
    assert (removed >= max(1, round(0.1 * count) - 1)).all() and (removed <= max(1, round(0.4 * count) + 1)).all()
    assert torch.equal(keep, draw_masks(count, n, seed, (0.1, 0.4)))


def test_cells_are_removed_alike():
    keep = draw_masks(20, 4000, 0)
    shares = (~keep).float()
    assert shares.mean() == pytest.approx(0.275, abs=0.01)
    assert (shares.mean(0) - 0.275).abs().max() < 0.03
    spread = shares.mean(1)
    assert spread.min() == pytest.approx(0.05) and spread.max() == pytest.approx(0.5)


def test_shares_that_are_none_are_refused():
    with pytest.raises(InputError, match="shares"):
        draw_masks(5, 3, 0, (0.5, 0.1))


def test_margins_of_masks_as_one_by_one():
    network = Loudness()
    subject = Subject(("a", "b"), 8000, network=network)
    inputs = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    cells = make_cells(subject, inputs)
    keep = draw_masks(cells.count, 100, 1)
    filler = Filler(subject, inputs, "noise", 3)
    target = torch.tensor([1])
    found = score_masks(subject, inputs, cells, keep, filler, target)
    single = [margin(network(filler.apply(cells.expand(one))), target) for one in keep.split(1)]
    torch.testing.assert_close(found, torch.cat(single))


def test_equal_masks_are_scored_once():
    network = Loudness()
    subject = Subject(("a", "b"), 8000, network=network)
    inputs = torch.ones(1, 800)
    cells = make_cells(subject, inputs)
    keep = torch.tensor([[True, False], [True, False], [True, True], [True, False]])
    found = score_masks(subject, inputs, cells, keep, Filler(subject, inputs, "silence"), torch.tensor([0]))
    assert network.asked == 2 and found[2] == 2 and found[0] == found[1] == found[3] < 2
