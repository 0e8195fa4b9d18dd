import copy
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_tools import VARIANTS, make_backbone, make_network, make_waves, pad, perturb, read
from transformers import Wav2Vec2FeatureExtractor

from ser.backbone.speech import Speech
from ser.backbone.speech_network import NETWORKS
from ser.backbone.weights import hash_parameters
from ser.errors import InputError

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
SPEECH = {name: choice for name, choice in VARIANTS.items() if "whisper" not in name}
networks = {name: make_network(*choice) for name, choice in SPEECH.items()}
each = pytest.mark.parametrize("network", networks.values(), ids=networks.keys())


@each
@given(
    lengths=st.lists(st.integers(1, 6000), min_size=1, max_size=4), padding=st.sampled_from([0, 1, 700]), data=st.data()
)
@settings(max_examples=12, deadline=None)
@torch.inference_mode()
def test_a_clips_hidden_states_do_not_depend_on_its_batch(network, lengths, padding, data):
    waves = make_waves(lengths)
    alone = [read(network, [wave])[0] for wave in waves]
    order = data.draw(st.permutations(range(len(waves))))
    for found, index in zip(read(network, [waves[index] for index in order], padding), order, strict=True):
        torch.testing.assert_close(found, alone[index], **CLOSE)


@each
@torch.inference_mode()
def test_what_lies_beyond_a_clips_end_is_not_read(network):
    waves = make_waves([5000, 3000])
    batch, lengths = pad(waves)
    expected = network(batch, lengths)
    batch[1, 3000:] = 9.0
    for found, clean in zip(network(batch, lengths)[0], expected[0], strict=True):
        torch.testing.assert_close(found[1, : expected[1][1]], clean[1, : expected[1][1]], **CLOSE)


@pytest.mark.parametrize("name", SPEECH)
@torch.inference_mode()
def test_a_clip_yields_what_it_yields_in_transformers(name):
    network = networks[name]
    family = network.model.config.model_type
    reference = NETWORKS[family](network.model.config).eval()  # ours has another attention in place of WavLM's
    reference.load_state_dict(network.model.state_dict())
    normalise = Wav2Vec2FeatureExtractor(do_normalize=True)
    for wave in make_waves([400, 4321, 16000]):
        values = normalise(wave.numpy(), sampling_rate=16000, return_tensors="pt").input_values
        told = reference(values, output_hidden_states=True)
        expected = torch.cat([*told.hidden_states[:-1], told.last_hidden_state])
        torch.testing.assert_close(read(network, [wave])[0], expected, **CLOSE)


@torch.inference_mode()
def test_without_normalisation_loudness_matters():
    wave = make_waves([4000])
    for normalise, matters in ((True, False), (False, True)):
        network = make_network("tiny_wav2vec2_layer_norm", normalise=normalise)
        quiet, loud = (read(network, [scale * wave[0]])[0] for scale in (1, 3))
        assert ((quiet - loud).abs().max() > 1e-2) == matters


@each
@torch.inference_mode()
def test_silence_and_clips_shorter_than_the_receptive_field_yield_a_frame(network):
    for wave in (torch.zeros(1), torch.zeros(3000), make_waves([1])[0], make_waves([399])[0]):
        (found,) = read(network, [wave])
        assert found.isfinite().all()
        assert found.shape[1] == (1 if len(wave) < 400 else 9)


@each
def test_networks_train_and_can_be_copied(network):
    network = copy.deepcopy(network).train()
    batch, lengths = pad(make_waves([4000, 2500]))
    hidden, _ = network(batch, lengths)
    sum(state.square().mean() for state in hidden).backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A bias of the keys adds the same to all that a query attends to, which changes nothing.
    assert [name for name in without if "k_proj.bias" not in name] == []
    front = {id(weight) for module in network.front_end for weight in module.parameters()}
    trunk = {id(weight) for module in network.blocks for weight in module.parameters()}
    assert front and trunk and not front & trunk
    assert len(network.blocks) == network.depth - 1 == 3


@each
def test_gradient_checkpointing_changes_memory_alone(network):
    gradients = []
    for checkpointing in (False, True):
        copied = copy.deepcopy(network)
        if checkpointing:
            copied.enable_gradient_checkpointing()
        copied.train()
        for module in copied.front_end:
            module.requires_grad_(False)
        for module in copied.modules():
            if isinstance(module, torch.nn.Dropout | torch.nn.BatchNorm1d):
                module.eval()
        torch.manual_seed(0)  # of dropout in attention
        hidden, _ = copied(*pad(make_waves([3000, 2000])))
        hidden[-1].square().mean().backward()
        gradients.append({name: weight.grad for name, weight in copied.named_parameters() if weight.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("choice", ["tiny_wav2vec2", "tiny_wavlm"])
def test_adapters_on_attention_are_heard(choice):
    from peft import LoraConfig, inject_adapter_in_model

    network = make_network(choice)
    wave = make_waves([3000])
    before = read(network, wave)[0].detach()
    inject_adapter_in_model(LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False), network)
    after = read(network.eval(), wave)[0]
    assert (after - before).abs().max() > 1e-3
    after.square().mean().backward()
    assert all(weight.grad is not None for name, weight in network.named_parameters() if "lora_" in name)


def test_random_weights_depend_on_the_seed_alone():
    hashes = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(hashes))
        hashes.append(hash_parameters(make_backbone("tiny_hubert", seed=seed).build()))
        assert torch.initial_seed() == len(hashes) - 1
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_identity_tells_networks_apart():
    backbones = [
        make_backbone("tiny_hubert"),
        make_backbone("tiny_hubert", seed=1),
        make_backbone("tiny_hubert", normalise=False),
        make_backbone("tiny_hubert", {"hidden_act": "relu"}),
        make_backbone("tiny_wav2vec2"),
    ]
    assert len({str(backbone.identify()) for backbone in backbones}) == len(backbones)
    assert make_backbone("tiny_hubert", layer=1).identify() == backbones[0].identify()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"hiden_size": 8}, "hiden_size"),
        ({"layerdrop": 0.1}, "layerdrop"),
        ({"num_attention_heads": 5}, "config"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"model_type": "sew"}, "wav2vec2 or hubert or wavlm or data2vec-audio"),
    ],
)
def test_configurations_of_no_network_are_refused(config, told):
    with pytest.raises(InputError, match=told):
        make_backbone("tiny_wav2vec2", config).build()


def test_the_layer_is_no_part_of_the_network():
    assert make_backbone("tiny_wavlm", layer="mix").layer == "mix"
    assert Speech(config={"model_type": "wavlm"}).layer == -1


SCRIPT = """
import sys
import ser.backbone.speech, ser.backbone.whisper
from ser.backbone.speech import Speech
Speech(config={"model_type": "wavlm"}).identify()
print(*sorted(name for name in ("torch", "transformers") if name in sys.modules))
"""


def test_descriptions_load_neither_torch_nor_transformers():
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_perturbed_networks_are_other_networks():
    network = make_backbone("tiny_wavlm").build()
    before = hash_parameters(network)
    assert hash_parameters(perturb(network)) != before


@each
@torch.inference_mode()
def test_networks_run_in_mixed_precision(network):
    batch, lengths = pad(make_waves([4000, 2500]))
    expected, frames = network(batch, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = network(batch, lengths)
    for one, other in zip(found, expected, strict=True):
        length = int(frames[1])
        assert torch.cosine_similarity(one[1, :length].float().flatten(), other[1, :length].flatten(), dim=0) > 0.99
