"""Which weights of each kind of network each choice of ``finetune`` trains, how fast, and from when on."""

import numpy as np
import pytest
import torch
from torch import nn

from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.finetune.frozen import Frozen
from ser.finetune.full import Full
from ser.finetune.lora import LoRA
from ser.finetune.partial import BitFit, HeadThenFull, LastBlocks
from ser.head.network import NetworkHead
from ser.head.reading import Reading
from ser.head.trunk import Trunk

SPEECH = ("tiny_wav2vec2", "tiny_wav2vec2_layer_norm", "tiny_hubert", "tiny_wavlm", "tiny_data2vec", "tiny_whisper")
OTHERS = ("tiny_byol", "tiny_cvt")
PRETRAINED = (*SPEECH, *OTHERS)
MEL = ("mel_cnn", "backbone.width=2", "backbone.mels=16", "backbone.fft=512")


def make_trunk(name, *overrides):
    return build_trunk(compose([f"backbone={name}", *overrides]))


def make_waves(seed=0, lengths=(3200, 2400)):
    draw = torch.Generator().manual_seed(seed)
    waves = torch.zeros(len(lengths), max(lengths))
    for wave, length in zip(waves, lengths, strict=True):
        wave[:length] = 0.1 * torch.randn(length, generator=draw)
    return waves, torch.tensor(lengths)


def prepare(policy, name, *overrides):
    """The network as a policy prepares it."""
    return policy.apply(make_trunk(name, *overrides).backbone.build())


def list_trained(network):
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


def list_inside(network, modules):
    own = {id(weight) for module in modules for weight in module.parameters()}
    return {name for name, weight in network.named_parameters() if id(weight) in own}


def find_gradients(network, seed=0):
    """Gradients of the mean of the last frames in training."""
    network.zero_grad()
    torch.manual_seed(seed)
    hidden, lengths = network(*make_waves())
    sum(frames[:length].square().mean() for frames, length in zip(hidden[-1], lengths, strict=True)).backward()
    return {name: w.grad.clone() for name, w in network.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("name", PRETRAINED)
def test_each_policy_trains_what_it_says(name):
    everything = {w for w, _ in prepare(Full(front_end=True), name).named_parameters()}
    network = prepare(Full(), name)
    front = list_inside(network, network.front_end)
    assert list_trained(network) == everything - front
    assert front or name == "tiny_cvt"
    assert list_trained(prepare(Full(front_end=True), name)) == everything
    assert list_trained(prepare(Frozen(), name)) == set()
    assert list_trained(prepare(HeadThenFull(), name)) == everything - front
    last = prepare(LastBlocks(blocks=1), name)
    assert list_trained(last) == list_inside(last, last.blocks[-1:])
    everything_above = prepare(LastBlocks(blocks=len(last.blocks)), name)
    assert list_trained(everything_above) == list_inside(everything_above, everything_above.blocks)
    biases = list_trained(prepare(BitFit(), name))
    assert biases == {w for w in everything - front if w.endswith("bias")} and biases


def test_what_starts_untrained_is_trained_as_a_whole():
    trunk = make_trunk(*MEL)
    assert list_trained(trunk.build()[0]) == {w for w, _ in trunk.build()[0].named_parameters()}
    for choice in ("frozen", "bitfit", "last_k", "lora", "head_then_full"):
        with pytest.raises(InputError, match=r"MelCNN starts untrained"):
            make_trunk(*MEL, f"finetune={choice}")
    with pytest.raises(InputError, match=r"Functionals has no weights to fine-tune"):
        make_trunk("egemaps", "finetune=full")


@pytest.mark.parametrize("policy", [Full(), LastBlocks(blocks=1), BitFit(), LoRA(), HeadThenFull(epochs=1)])
@pytest.mark.parametrize("name", ["tiny_wav2vec2", "tiny_whisper", "tiny_byol"])
def test_only_what_is_trained_changes(name, policy):
    if name == "tiny_byol" and isinstance(policy, LoRA):
        policy = LoRA(targets=("0", "3"))  # its linear layers have no better names
    network = prepare(policy, name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(map(dict, policy.group_parameters(network, 0.1)))
    policy.begin_epoch(network, 1)
    find_gradients(network)
    optimizer.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    trained = list_trained(network)
    assert changed - trained <= find_moving_statistics(network), "statistics of frozen parts stay"
    assert changed & trained


def find_moving_statistics(network):
    """Statistics of normalisations that are trained."""
    return {
        f"{name}.{buffer}"
        for name, module in network.named_modules()
        for buffer, _ in module.named_buffers(recurse=False)
        if any(weight.requires_grad for weight in module.parameters())
    }


@pytest.mark.parametrize("name", ["tiny_byol", "tiny_hubert"])
def test_frozen_parts_behave_as_in_prediction(name):
    extra = ["+backbone.config.conv_pos_batch_norm=true"] if name == "tiny_hubert" else []
    network = prepare(LastBlocks(blocks=1), name, *extra)
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms, "this network has batch normalisation"
    LastBlocks(blocks=1).begin_epoch(network, 0)
    assert not any(norm.training for norm in norms if not norm.weight.requires_grad)
    statistics = [norm.running_mean.clone() for norm in norms]
    find_gradients(network)
    frozen = [not norm.weight.requires_grad for norm in norms]
    same = [torch.equal(norm.running_mean, old) for norm, old in zip(norms, statistics, strict=True)]
    assert all(equal for equal, still in zip(same, frozen, strict=True) if still) and any(frozen)
    inner = [m for block in network.blocks[-1:] for m in block.modules()]
    assert all(module.training for module in inner), "what is trained has its dropout"


@pytest.mark.parametrize("name", PRETRAINED)
def test_rates_fall_from_block_to_block(name):
    policy = Full(lr=0.01, layer_decay=0.5, front_end=True)
    network = prepare(policy, name)
    groups = policy.group_parameters(network, 0.3)
    rate_of = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    assert len(rate_of) == sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    blocks = list(network.blocks)
    for depth, block in enumerate(reversed(blocks)):
        assert {rate_of[id(weight)] for weight in block.parameters()} == {0.01 * 0.5**depth}
    below = {rate_of[id(w)] for module in network.front_end for w in module.parameters()}
    assert below == ({0.01 * 0.5 ** len(blocks)} if network.front_end else set())
    (single,) = Full().group_parameters(prepare(Full(), name), 0.3)
    assert single["lr"] == 0.3


def test_the_head_trains_alone_and_then_with_the_backbone():
    policy = HeadThenFull(epochs=2)
    network = prepare(policy, "tiny_wav2vec2")
    ever = {id(weight) for group in policy.group_parameters(network, 0.1) for weight in group["params"]}
    assert ever == {id(weight) for weight in network.parameters() if weight.requires_grad}, "the optimizer has all"
    for epoch, opened in ((0, False), (1, False), (2, True), (3, True)):
        policy.begin_epoch(network, epoch)
        assert bool(list_trained(network)) == opened
        assert any(module.training for module in network.modules()) or not opened
    policy.begin_epoch(network, 1)
    assert not network.blocks[0].training and not list_trained(network)


@pytest.mark.parametrize("name", SPEECH)
def test_adapters_are_heard_and_learn(name):
    network = prepare(LoRA(rank=2), name).eval()
    plain = make_trunk(name).backbone.build().eval()
    with torch.no_grad():
        before, frames = network(*make_waves())
        torch.testing.assert_close(before[-1], plain(*make_waves())[0][-1], atol=1e-6, rtol=0)
    adapters = {key: weight for key, weight in network.named_parameters() if "lora_B" in key}
    assert len(adapters) == 2 * len(network.blocks), "of q_proj and v_proj in each block"
    for key, weight in adapters.items():
        with torch.no_grad():
            weight.fill_(0.5)
            changed = network(*make_waves())[0][-1]
            weight.zero_()
        inside = [(changed - before[-1])[row, :length] for row, length in enumerate(frames)]
        assert max(difference.abs().max() for difference in inside) > 1e-4, f"{key} does not change what comes out"
    for weight in adapters.values():
        nn.init.normal_(weight, std=0.1)
    LoRA(rank=2).begin_epoch(network, 0)
    gradients = find_gradients(network)
    assert set(gradients) == list_trained(network) and all("lora_" in key for key in gradients)
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_trained_weight_of_every_family_gets_a_gradient(name):
    network = prepare(Full(front_end=True), name)
    Full().begin_epoch(network, 0)
    gradients = find_gradients(network)
    assert list_trained(network) - set(gradients) == set()


def test_adapters_of_layers_that_are_not_there_are_refused():
    with pytest.raises(InputError, match=r"targets=\['q_proj', 'v_proj'\].*no such linear layers"):
        prepare(LoRA(), "tiny_byol")
    with pytest.raises(InputError, match=r"(?s)some of.*fc1.*k_proj"):
        prepare(LoRA(targets=("query",)), "tiny_whisper")


@pytest.mark.parametrize("name", SPEECH)
@pytest.mark.parametrize("policy", [Full, LoRA, LastBlocks])
def test_gradient_checkpointing_changes_no_gradient(name, policy):
    found = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        own = policy(gradient_checkpointing=checkpointing)
        network = prepare(own, name)
        for key, weight in network.named_parameters():
            if "lora_B" in key:
                nn.init.constant_(weight, 0.01)
        own.begin_epoch(network, 0)
        calls = count_calls(network.blocks[-1])
        found.append((find_gradients(network), calls))
    (plain, once), (checkpointed, twice) = found
    assert plain.keys() == checkpointed.keys()
    for key, gradient in plain.items():
        torch.testing.assert_close(checkpointed[key], gradient, atol=1e-6, rtol=1e-4, msg=key)
    assert len(once) == 1 and len(twice) == 2, "the block is computed again in the backward pass"


def count_calls(module):
    """A list that grows with every pass through a module."""
    calls, inner = [], next(m for m in module.modules() if isinstance(m, nn.LayerNorm))
    inner.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_gradient_checkpointing_is_refused_where_there_is_none():
    with pytest.raises(InputError, match=r"gradient_checkpointing: BYOLNetwork does not support it"):
        prepare(Full(gradient_checkpointing=True), "tiny_byol")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Full(layer_decay=0), r"layer_decay=0"),
        (lambda: Full(layer_decay=1.1), r"layer_decay=1.1"),
        (lambda: LoRA(rank=0), r"rank=0"),
        (lambda: HeadThenFull(epochs=0), r"epochs=0"),
        (lambda: prepare(LastBlocks(blocks=4), "tiny_hubert"), r"(?s)blocks=4.*1 to 3"),
        (lambda: prepare(LastBlocks(blocks=0), "tiny_hubert"), r"blocks=0"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_nothing_above_the_layer_that_is_read_is_trained():
    backbone = make_trunk("tiny_wav2vec2").backbone
    network, _ = Trunk(backbone, Full(), Reading(layer=1)).build()
    assert list_inside(network, network.blocks[1:]).isdisjoint(list_trained(network))
    assert list_inside(network, network.blocks[:1]) <= list_trained(network)
    for layer in (-1, 3, "mix"):
        network, _ = Trunk(backbone, Full(), Reading(layer=layer)).build()
        assert list_inside(network, network.blocks) <= list_trained(network)
    with pytest.raises(InputError, match=r"all that would be trained lies above backbone.layer=1"):
        Trunk(backbone, LastBlocks(blocks=2), Reading(layer=1)).build()


def test_parameters_of_head_and_backbone_are_groups_of_their_own():
    trunk = make_trunk("tiny_wav2vec2", "finetune=full", "finetune.layer_decay=0.9", "finetune.lr=0.001")
    head = NetworkHead(hidden=[4], weight_decay=0.5, lr=0.02)
    from ser.head.emotion_network import Shape

    network = head.build(3, Shape("audio", ()), trunk)
    *below, own = head.group_parameters(network, trunk.policy, 0.1)
    assert own["lr"] == 0.02 and own["weight_decay"] == 0.5
    np.testing.assert_allclose([group["lr"] for group in below], 0.001 * 0.9 ** np.arange(4))
    weights = [id(weight) for group in (*below, own) for weight in group["params"]]
    assert len(weights) == len(set(weights))
    assert set(weights) == {id(weight) for weight in network.parameters() if weight.requires_grad}
