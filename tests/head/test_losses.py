import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from ser import regression
from ser.config import compose
from ser.errors import InputError
from ser.head.losses import CCCLoss, FocalLoss, SoftCrossEntropy


@pytest.fixture
def values():
    draw = torch.Generator().manual_seed(0)
    targets = torch.randn(40, 3, generator=draw, dtype=torch.float64)
    return targets + torch.randn(40, 3, generator=draw) * 0.7 + torch.tensor([0.0, 1.0, -0.3]), targets


def test_the_ccc_loss_is_one_less_the_metric(values):
    found = CCCLoss()(*values)
    ccc = regression.ccc(regression.sum_clips(*(side.numpy() for side in reversed(values))))
    assert found.item() == pytest.approx(1 - ccc.mean(), abs=1e-6)
    assert CCCLoss()(values[1], values[1]).item() == pytest.approx(0, abs=1e-6)
    assert CCCLoss()(-values[1] + 2 * values[1].mean(0), values[1]).item() == pytest.approx(2, abs=1e-6)


def test_the_ccc_loss_does_not_know_the_scale_of_the_ratings(values):
    scaled = [side * torch.tensor([6.0, 0.1, 50.0]) + torch.tensor([4.0, -1.0, 50.0]) for side in values]
    assert CCCLoss()(*scaled).item() == pytest.approx(CCCLoss()(*values).item(), abs=1e-5)


def test_the_ccc_loss_can_be_descended(values):
    guess = torch.zeros(40, 3, requires_grad=True)
    optimizer = torch.optim.Adam([guess], lr=0.1)
    with torch.no_grad():
        guess += torch.randn(40, 3, generator=torch.Generator().manual_seed(1)) * 0.01
    for _ in range(200):
        optimizer.zero_grad()
        CCCLoss()(guess, values[1]).backward()
        optimizer.step()
    np.testing.assert_allclose(guess.detach(), values[1], atol=0.1)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_batch_of_one_value_has_a_finite_gradient(value):
    guess = torch.full((5, 2), value, requires_grad=True)
    loss = CCCLoss()(guess, torch.full((5, 2), 3.0))
    loss.backward()
    assert loss.item() == pytest.approx(1) and torch.isfinite(guess.grad).all()


def test_one_clip_is_refused_in_training_and_scored_in_validation():
    loss = CCCLoss()
    with pytest.raises(InputError, match=r"(?s)one clip.*trainer.batch_size"):
        loss(torch.ones(1, 2), torch.zeros(1, 2))
    assert loss.eval()(torch.ones(1, 2), torch.zeros(1, 2)).item() == pytest.approx(1)


def test_half_precision_does_not_lose_the_loss(values):
    low = CCCLoss()(values[0].to(torch.bfloat16), values[1].float())
    assert low.dtype == torch.float32 and low.item() == pytest.approx(CCCLoss()(*values).item(), abs=0.01)


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 0.2, 5.0])], ids=["even", "weighted"])
def test_soft_cross_entropy_of_raters_of_one_mind_is_cross_entropy(weight):
    draw = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(30, 3, generator=draw), torch.randint(0, 3, (30,), generator=draw)
    soft = SoftCrossEntropy(weight)(logits, nn.functional.one_hot(targets, 3).float())
    torch.testing.assert_close(soft, nn.CrossEntropyLoss(weight)(logits, targets))


def test_soft_cross_entropy_takes_indices_as_raters_of_one_mind():
    logits, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weight = torch.tensor([1.0, 0.2, 5.0])
    torch.testing.assert_close(SoftCrossEntropy(weight)(logits, targets), nn.CrossEntropyLoss(weight)(logits, targets))


def test_soft_cross_entropy_is_least_where_probabilities_are_the_raters_shares():
    shares = torch.tensor([[0.5, 0.3, 0.2], [0.0, 1 / 3, 2 / 3]])
    least = SoftCrossEntropy()(shares.clamp(min=1e-9).log(), shares).item()
    entropy = -(shares * shares.clamp(min=1e-9).log()).sum(1).mean().item()
    assert least == pytest.approx(entropy, abs=1e-5)
    torch.testing.assert_close(SoftCrossEntropy()(shares, shares), nn.CrossEntropyLoss()(shares, shares))
    for seed in range(5):
        logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed))
        assert SoftCrossEntropy()(logits, shares).item() > least


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ccc", CCCLoss),
        ("mse", nn.MSELoss),
        ("cross_entropy", nn.CrossEntropyLoss),
        ("soft_cross_entropy", SoftCrossEntropy),
        ("focal", FocalLoss),
        ("label_smoothing", nn.CrossEntropyLoss),
        ("auto", nn.CrossEntropyLoss),
    ],
)
def test_choices(name, kind):
    assert isinstance(instantiate(compose([f"loss={name}"]).loss)(), kind)


WEIGHTS = pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 0.2, 5.0])], ids=["even", "weighted"])


def make_logits(seed=0):
    draw = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(30, 3, generator=draw), torch.randint(0, 3, (30,), generator=draw)


@WEIGHTS
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_focal_loss_without_focus_is_cross_entropy(weight, reduction):
    logits, targets = make_logits()
    found = FocalLoss(weight, gamma=0, reduction=reduction)(logits, targets)
    torch.testing.assert_close(found, nn.CrossEntropyLoss(weight, reduction=reduction)(logits, targets))


@WEIGHTS
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_is_what_its_paper_says(weight, gamma):
    logits, targets = make_logits(1)
    p = logits.double().softmax(-1)[torch.arange(30), targets]
    alpha = torch.ones(30) if weight is None else weight[targets]
    each = -alpha * (1 - p) ** gamma * p.log()
    torch.testing.assert_close(FocalLoss(weight, gamma, "none")(logits, targets).double(), each, atol=1e-5, rtol=1e-4)
    mean = (each.sum() / alpha.sum()).float()
    torch.testing.assert_close(FocalLoss(weight, gamma)(logits, targets), mean, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_has_a_finite_gradient_where_the_network_is_sure(gamma):
    logits = torch.tensor([[60.0, -60.0, 0.0], [-60.0, 60.0, 0.0]], requires_grad=True)
    FocalLoss(gamma=gamma)(logits, torch.tensor([0, 0])).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad[1].abs().max() > 0.1


@pytest.mark.parametrize("options", [{"gamma": -1}, {"reduction": "sum"}])
def test_impossible_focal_losses_are_refused(options):
    with pytest.raises(InputError, match=r"loss.gamma"):
        FocalLoss(**options)


def test_label_smoothing_takes_its_share_from_the_label():
    logits, targets = make_logits()
    loss = instantiate(compose(["loss=label_smoothing", "loss.label_smoothing=0.2"]).loss)()
    shares = 0.8 * nn.functional.one_hot(targets, 3) + 0.2 / 3
    torch.testing.assert_close(loss(logits, targets), -(shares * logits.log_softmax(-1)).sum(-1).mean())
    assert instantiate(compose(["loss=label_smoothing"]).loss)().label_smoothing == 0.1
