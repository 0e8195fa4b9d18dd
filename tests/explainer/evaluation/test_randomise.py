import pytest
import torch
from evaluation_tools import make_real, make_real_clip, make_subject
from torch import nn

from ser.explainer.evaluation.randomise import draw_weights, group, list_levels, measure_statistics, randomise


def make_inputs(subject):
    return [make_real_clip(subject, seed=seed).inputs for seed in range(3)]


@pytest.mark.parametrize("choice", ["mel_cnn_small", "tiny_wav2vec2"])
def test_levels_hold_all_weights_once_from_the_head_down(choice):
    subject = make_real(choice)
    levels = list_levels(subject)
    names = [name for level in levels for name in level.modules]
    modules = dict(subject.network.named_modules())
    counted = sum(weight.numel() for name in names for weight in modules[name].parameters(recurse=False))
    assert len(names) == len(set(names)) and counted == sum(weight.numel() for weight in subject.network.parameters())
    assert levels[0].name == "head" and levels[-1].name == "front" and levels[1].name.startswith("block ")


def test_a_network_without_blocks_is_cut_into_layers():
    network = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(8)])
    subject = make_subject()
    subject.network, subject.trunk = network, None
    levels = list_levels(subject)
    assert len(levels) == 4 and levels[0].modules == ("7.0", "6.0") and levels[-1].modules == ("1.0", "0.0")


def test_groups_are_of_about_the_same_size():
    assert group(list(range(12)), 4) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert group([1, 2], 4) == [[1], [2]]
    assert [len(part) for part in group(list(range(6)), 4)] == [2, 1, 1, 2]


@pytest.mark.parametrize("choice", ["mel_cnn_small", "tiny_wav2vec2"])
def test_only_the_chosen_level_changes_and_the_model_stays_as_it_was(choice):
    subject = make_real(choice)
    inputs = make_inputs(subject)
    before = {name: weight.clone() for name, weight in subject.network.state_dict().items()}
    levels = list_levels(subject)
    changed = randomise(subject, [levels[1]], levels[:2], inputs, 5).network.state_dict()
    assert all(torch.equal(before[name], weight) for name, weight in subject.network.state_dict().items())
    moved = {
        name.rpartition(".")[0]
        for name, _ in subject.network.named_parameters()
        if before[name].ne(changed[name]).any()
    }
    assert moved and moved <= set(levels[1].modules)


def test_the_seed_decides_the_weights_and_no_other_random_number():
    subject = make_real("mel_cnn_small")
    inputs, levels = make_inputs(subject), list_levels(subject)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    scores = [randomise(subject, levels, levels, inputs, seed).score(inputs[0]) for seed in (3, 3, 4)]
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(scores[0], scores[1]) and not torch.allclose(scores[0], scores[2])


def test_weights_of_modules_that_cannot_draw_them_keep_their_moments():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(3 + 2 * torch.randn(5000))

    module = Own()
    before = module.weight.clone()
    with torch.no_grad():
        draw_weights(module)
    assert not torch.equal(before, module.weight)
    mean, spread = module.weight.mean().item(), module.weight.std().item()
    assert mean == pytest.approx(3, abs=0.2) and spread == pytest.approx(2, abs=0.2)


def test_weights_in_a_parametrisation_are_randomised_too():
    convolution = nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 3))
    subject = make_subject()
    subject.network, subject.trunk = nn.Sequential(convolution), None
    levels = list_levels(subject)
    changed = randomise(subject, levels, levels, [], 0).network[0].weight
    assert (changed != convolution.weight).float().mean() > 0.9


def test_batch_statistics_are_those_of_the_clips():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv1d(1, 3, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Conv1d(3, 2, 3), nn.BatchNorm1d(2)
    ).eval()
    clips = [5 + 2 * torch.randn(1, 1, 400) for _ in range(4)]
    with torch.no_grad():
        measure_statistics(network, [network[1], network[4]], clips)
        after = torch.cat([network(clip) for clip in clips], dim=-1)
    assert torch.allclose(after.mean(-1), torch.zeros(1, 2), atol=0.05)
    assert torch.allclose(after.std(-1), torch.ones(1, 2), atol=0.05)
    assert not network[1].training


def test_a_clip_alone_does_not_break_statistics_of_vectors():
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    with torch.no_grad():
        measure_statistics(network, [network[1]], [torch.randn(1, 4)])
    assert torch.isfinite(network(torch.randn(1, 4))).all()
