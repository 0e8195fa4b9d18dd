import json

import pytest
import torch

from ser.errors import InputError
from ser.finetune.full import Full
from ser.finetune.lora import LoRA
from ser.language.folder import load_trained, merge_adapters, save_encoder, save_recogniser
from ser.language.recognition import Recogniser
from ser.language.start import start_from
from ser.language.texts import Vocabulary

FAMILIES = ["tiny_wav2vec2", "tiny_wav2vec2_layer_norm", "tiny_hubert", "tiny_wavlm", "tiny_data2vec"]
LENGTHS = torch.tensor([8000, 5000])


@pytest.fixture
def waves():
    torch.manual_seed(1)
    inside = torch.arange(8000) < LENGTHS[:, None]
    return torch.randn(2, 8000) * 0.1 * inside


def shake(network):
    """Weights that are no longer those of the checkpoint, as after training."""
    torch.manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight += 0.05 * torch.randn_like(weight)
    return network.eval()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("policy", [Full(), LoRA(rank=2)], ids=["full", "lora"])
def test_transformers_loads_what_was_trained(name, policy, make_backbone, waves, tmp_path):
    from transformers import AutoModelForCTC, AutoProcessor

    vocabulary = Vocabulary.build(["la città"])
    backbone = make_backbone(name)
    recogniser = shake(Recogniser(policy.apply(backbone.build()), len(vocabulary)))
    with torch.inference_mode():
        logits, frames = recogniser(waves, LENGTHS)
    save_recogniser(recogniser, vocabulary, tmp_path)
    assert json.loads((tmp_path / "vocab.json").read_text()) == vocabulary.tokens

    model, info = AutoModelForCTC.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert model.config.vocab_size == len(vocabulary) == len(processor.tokenizer)
    assert model.config.pad_token_id == processor.tokenizer.pad_token_id == 0
    for wave, length, own, count in zip(waves, LENGTHS, logits, frames, strict=True):
        given = processor(wave[:length].numpy(), sampling_rate=16000, return_tensors="pt")
        with torch.inference_mode():
            theirs = model.eval()(given.input_values).logits[0]
        torch.testing.assert_close(own[:count], theirs, atol=1e-4, rtol=1e-4)
        path = theirs.argmax(-1).tolist()
        special = {vocabulary.tokens[token] for token in ("<s>", "</s>", "<unk>")}
        if not special & set(path):
            assert " ".join(processor.decode(path).split()) == vocabulary.decode(path)

    # Downstream, the backbone starts from these weights and leaves the output layer behind.
    started = start_from(backbone, tmp_path)
    with torch.inference_mode():
        hidden, _ = started.build().eval()(waves, LENGTHS)
        expected, _ = recogniser.backbone(waves, LENGTHS)
    torch.testing.assert_close(hidden[-1], expected[-1], atol=1e-5, rtol=1e-5)
    assert started.identify() != backbone.identify()
    assert started.identify()["normalise"] == backbone.identify()["normalise"]


@pytest.mark.parametrize("policy", [Full(), LoRA(rank=2)], ids=["full", "lora"])
def test_an_encoder_keeps_its_adapters(policy, make_backbone, waves, tmp_path):
    backbone = make_backbone("tiny_hubert")
    network = shake(policy.apply(backbone.build()))
    with torch.inference_mode():
        before, _ = network(waves, LENGTHS)
    trained = dict(network.state_dict())
    again = policy.apply(backbone.build()).eval()
    load_trained(again, trained, "run")
    save_encoder(merge_adapters(again), {}, tmp_path)
    with torch.inference_mode():
        after, _ = start_from(backbone, tmp_path).build().eval()(waves, LENGTHS)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


def test_weights_of_another_network_are_refused(make_backbone):
    network = make_backbone("tiny_hubert").build()
    with pytest.raises(InputError, match="no weights"):
        load_trained(network, {}, "run")
    with pytest.raises(InputError, match="unexpected weights"):
        load_trained(network, {"other.weight": torch.zeros(1)}, "run")


def test_whisper_keeps_its_encoder(make_backbone, tmp_path):
    backbone = make_backbone("tiny_whisper")
    network = shake(Full().apply(backbone.build()))
    save_encoder(network, {}, tmp_path)
    started = start_from(backbone, tmp_path).build()
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(started.state_dict()[name], weight, msg=name)
