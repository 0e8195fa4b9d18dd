import copy
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_tools import make_backbone, make_network, make_waves, pad, read
from transformers import WhisperFeatureExtractor

from ser.backbone.weights import hash_parameters
from ser.errors import InputError

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
#: A window of 0.6 s, so that clips of several windows are short.
SMALL = {"max_source_positions": 30}
real = make_network("tiny_whisper", SMALL)
whole = make_network("tiny_whisper", SMALL, max_frames=60)
each = pytest.mark.parametrize("network", [real, whole], ids=["real", "whole"])
extractor = WhisperFeatureExtractor()


@each
@given(
    lengths=st.lists(st.integers(1, 25000), min_size=1, max_size=4),
    padding=st.sampled_from([0, 1, 9000]),
    data=st.data(),
)
@settings(max_examples=15, deadline=None)
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
    batch, lengths = pad(make_waves([9000, 7000]))
    expected, frames = network(batch, lengths)
    batch[1, 7000:] = 9.0
    found, _ = network(batch, lengths)
    assert all(
        torch.equal(one[1, : frames[1]], other[1, : frames[1]]) for one, other in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("length", [1, 159, 160, 4321, 80000, 479000, 479990, 480000])
@torch.inference_mode()
def test_log_mel_spectrograms_are_those_of_transformers(length):
    network = make_network("tiny_whisper")
    (wave,) = make_waves([length])
    expected = extractor(wave.numpy(), sampling_rate=16000, return_tensors="pt", return_attention_mask=True)
    count = int(network.mel.count(torch.tensor([length])))
    assert count == int(expected["attention_mask"].sum())
    for others in ([], make_waves([length + 5000], 1)):
        batch, _ = pad([wave, *others])
        found = network.mel(network.extend(batch[:, : network.window]))[0, :, :count]
        torch.testing.assert_close(found, expected["input_features"][0, :, :count], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_whole_windows_yield_what_they_yield_in_transformers():
    network = make_network("tiny_whisper", max_frames=3000)
    for wave in make_waves([1, 4000, 33333, 480000]):
        features = extractor(wave.numpy(), sampling_rate=16000, return_tensors="pt")["input_features"]
        told = network.encoder(features, output_hidden_states=True)
        expected = torch.cat(told.hidden_states)
        torch.testing.assert_close(expected[-1:], told.last_hidden_state)
        (found,) = read(network, [wave])
        assert found.shape[1] == -(-len(wave) // 320)
        torch.testing.assert_close(found, expected[:, : found.shape[1]], **CLOSE)


@torch.inference_mode()
def test_a_full_window_is_the_same_either_way():
    (wave,) = make_waves([real.window])
    torch.testing.assert_close(read(real, [wave])[0], read(whole, [wave])[0], **CLOSE)
    short = [wave[: real.window // 2]]
    assert (read(real, short)[0] - read(whole, short)[0]).abs().max() > 1e-2


@each
@torch.inference_mode()
def test_clips_longer_than_a_window_are_read_window_by_window(network):
    (wave,) = make_waves([2 * network.window + 4000])
    windows = [read(network, [window])[0] for window in wave.split(network.window)]
    torch.testing.assert_close(read(network, [wave])[0], torch.cat(windows, dim=1), **CLOSE)


@each
def test_networks_train_and_can_be_copied(network):
    gradients = []
    for checkpointing in (False, True):
        copied = copy.deepcopy(network)
        if checkpointing:
            copied.enable_gradient_checkpointing()
        hidden, _ = copied.train()(*pad(make_waves([8000, 5000])))
        sum(state.square().mean() for state in hidden).backward()
        gradients.append({name: weight.grad for name, weight in copied.named_parameters()})
    unlearned = {name for name, gradient in gradients[0].items() if gradient is None}
    assert unlearned == {"encoder.embed_positions.weight"}  # sinusoids, which transformers never trains
    for name in gradients[0].keys() - unlearned:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], atol=1e-5, rtol=1e-3)
    assert len(network.blocks) == network.depth - 1 == 3 and len(network.front_end) == 2


def test_max_frames_is_part_of_the_identity():
    one, other = make_backbone("tiny_whisper"), make_backbone("tiny_whisper", max_frames=3000)
    assert one.identify() != other.identify()
    for frames in ("all", 1500, 0):
        with pytest.raises(InputError, match="max_frames"):
            make_backbone("tiny_whisper", max_frames=frames).build()


folder = Path(os.environ.get("SER_WEIGHTS", "none")) / "whisper-tiny.en-encoder"


@pytest.mark.skipif(not folder.is_dir(), reason="needs whisper-tiny.en-encoder: set SER_WEIGHTS to the folder with it")
@torch.inference_mode()
def test_whisper_tiny_en():
    backbone = make_backbone("whisper_tiny_en")
    network = backbone.build()
    assert (network.dim, network.depth, network.rate) == (384, 5, 16000)
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert sum(weight.numel() for weight in network.parameters()) == 8_208_384
    sizes = ("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim")
    random = make_backbone("tiny_whisper", {name: getattr(network.encoder.config, name) for name in sizes}).build()
    shapes = [{name: weight.shape for name, weight in each.named_parameters()} for each in (network, random)]
    assert shapes[0] == shapes[1] and hash_parameters(random) != hash_parameters(network)
    assert backbone.identify()["weights"] == make_backbone("whisper_tiny_en").identify()["weights"]
    waves = make_waves([16000, 9000])
    for found, wave in zip(read(network, waves, 100), waves, strict=True):
        torch.testing.assert_close(found, read(network, [wave])[0], atol=2e-4, rtol=1e-4)


@each
@torch.inference_mode()
def test_networks_run_in_mixed_precision(network):
    batch, lengths = pad(make_waves([8000, 5000]))
    expected, _ = network(batch, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = network(batch, lengths)
    assert torch.cosine_similarity(found[-1][0].float().flatten(), expected[-1][0].flatten(), dim=0) > 0.99
