"""Text encoders of transformers: exact for texts of different lengths, whole checkpoints only, fine-tuning."""

import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, BertConfig, DistilBertConfig, RobertaConfig

from ser.backbone.text_encoder import TextEncoder
from ser.errors import InputError
from ser.finetune.lora import LoRA
from ser.finetune.partial import LastBlocks

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
TEXTS = ("the dog sleeps and the cat", "a dog", "the unheard of")


@pytest.fixture(scope="module")
def tokeniser(tmp_path_factory):
    """Files of a tokeniser of words: padding is 1, as RoBERTa's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "the", "a", "dog", "cat", "sleeps", "and", "of"]
    made = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


COMMON = {"vocab_size": 11, "max_position_embeddings": 40, "pad_token_id": 1}
FAMILIES = {
    "bert": BertConfig(**COMMON, **SMALL),
    "roberta": RobertaConfig(**COMMON, **SMALL),
    "distilbert": DistilBertConfig(**COMMON, dim=16, n_layers=2, n_heads=2, hidden_dim=24),
}


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tokeniser, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(3)
    AutoModel.from_config(FAMILIES[request.param]).save_pretrained(path)
    tokeniser.save_pretrained(path)
    return path


def run(network, tokens, padding=0):
    lengths = torch.tensor([len(row) for row in tokens])
    batch = torch.full((len(tokens), int(lengths.max()) + padding), 5)  # anything may stand beyond a text's end
    for row, ids in zip(batch, tokens, strict=True):
        row[: len(ids)] = torch.as_tensor(ids)
    with torch.inference_mode():
        hidden, counts = network.eval()(batch, lengths)
    return [torch.stack(hidden)[:, index, :count] for index, count in enumerate(counts)]


def test_a_text_yields_what_it_yields_in_transformers(folder):
    backbone = TextEncoder(str(folder))
    network, reference = backbone.build(), AutoModel.from_pretrained(folder).eval()
    tokens = [backbone.encode_text(text) for text in TEXTS]
    assert network.depth == 3 and network.dim == 16 and len(network.blocks) == 2
    for ids, found in zip(tokens, run(network, tokens, padding=4), strict=True):
        with torch.inference_mode():
            told = reference(torch.from_numpy(ids)[None], output_hidden_states=True)
        torch.testing.assert_close(found, torch.cat(told.hidden_states), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(run(network, [ids])[0], found, atol=1e-5, rtol=1e-4)


def test_tokens_are_the_checkpoints_own(folder):
    backbone = TextEncoder(str(folder), max_tokens=5)
    assert backbone.encode_text("The dog").tolist() == [0, 4, 6, 2]
    assert backbone.encode_text("the dog and the cat of").tolist() == [0, 4, 6, 9, 2]  # cut, its end marked
    assert backbone.encode_text("").tolist() == [0, 2]
    assert backbone.count_unknown("the horse and a cow") == (2, 5)
    assert backbone.learn(["other"]) is backbone and backbone.pretrained


def test_what_decides_the_frames_is_its_identity(folder, tmp_path, tokeniser):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    identity = TextEncoder(str(folder)).identify()
    assert TextEncoder(str(copy)).identify() == identity != TextEncoder(str(folder), max_tokens=9).identify()
    text = (copy / "tokenizer.json").read_text().replace('"sleeps"', '"wakes"')
    (copy / "tokenizer.json").write_text(text)
    assert TextEncoder(str(copy)).identify() != identity


def test_a_checkpoint_with_a_head_is_read_without_it(tmp_path, tokeniser):
    torch.manual_seed(0)
    whole = AutoModelForMaskedLM.from_config(FAMILIES["bert"])
    whole.save_pretrained(tmp_path)
    tokeniser.save_pretrained(tmp_path)
    own = TextEncoder(str(tmp_path)).build().model.state_dict()
    torch.testing.assert_close(own, {name: whole.bert.state_dict()[name] for name in own})


def test_names_of_older_files_are_known(tmp_path, tokeniser):
    model = AutoModel.from_config(FAMILIES["bert"])
    model.config.save_pretrained(tmp_path)
    tokeniser.save_pretrained(tmp_path)
    state = {f"bert.{name}": tensor for name, tensor in model.state_dict().items()}
    state = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in state.items()
    }
    torch.save(state | {"cls.predictions.bias": torch.zeros(11)}, tmp_path / "pytorch_model.bin")
    found = TextEncoder(str(tmp_path)).build().model.state_dict()
    torch.testing.assert_close(found, {name: model.state_dict()[name] for name in found})


def test_weights_that_do_not_fill_the_network_are_refused(tmp_path, tokeniser):
    from safetensors.torch import load_file, save_file

    AutoModel.from_config(FAMILIES["bert"]).save_pretrained(tmp_path)
    tokeniser.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["encoder.layer.1.output.dense.weight"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"missing: encoder.layer.1.output.dense.weight"):
        TextEncoder(str(tmp_path)).build()


def test_a_checkpoint_without_its_tokeniser_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    AutoModel.from_config(FAMILIES["bert"]).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"(?s)no tokeniser can be read.*tokenizer.json"):
        TextEncoder(str(tmp_path)).encode_text("the dog")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "t5"}, "has an encoder and a decoder"),
        ({"model_type": "wav2vec2", **SMALL}, "reads no text"),
        ({"model_type": "perceptron"}, "transformers has no family perceptron"),
        ({}, "no model_type"),
        ({"model_type": "bert", "hidden_sice": 8}, r"(?s)no hidden_sice.*did you mean hidden_size"),
    ],
)
def test_what_is_no_encoder_of_text_is_refused(config, reason):
    with pytest.raises(InputError, match=reason):
        TextEncoder(config=config, vocabulary=("dog",)).build()


def test_the_tiny_one_learns_its_tokens_from_training_texts():
    config = {"model_type": "bert", "max_position_embeddings": 20, **SMALL}
    untaught = TextEncoder(config=config, max_tokens=4)
    assert not untaught.pretrained
    with pytest.raises(InputError, match="has seen none"):
        untaught.build()
    taught = untaught.learn(["The dog", "the cat"])
    network = taught.build()
    assert network.vocabulary == ("cat", "dog", "the") and network.model.config.vocab_size == 5
    assert taught.encode_text("the cow, the dog, the cat").tolist() == [4, 1, 4, 3]
    tokens = [taught.encode_text(text) for text in TEXTS]
    for ids, found in zip(tokens, run(network, tokens, padding=3), strict=True):
        torch.testing.assert_close(run(network, [ids])[0], found, atol=1e-5, rtol=1e-4)


def test_parts_of_it_are_fine_tuned(folder):
    network = LastBlocks(blocks=1).apply(TextEncoder(str(folder)).build())
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert trained and all(".1." in name for name in trained)
    targets = ["q_lin", "v_lin"] if "distilbert" in str(folder) else ["query", "value"]
    adapted = LoRA(rank=2, targets=targets).apply(TextEncoder(str(folder)).build())
    assert {name.rsplit(".", 2)[0].rsplit("_", 1)[0][-4:] for name, w in adapted.named_parameters() if w.requires_grad}
    hidden, _ = adapted(torch.tensor([[0, 4, 6, 2]]), torch.tensor([4]))
    hidden[-1][..., 0].sum().backward()
    assert any(w.grad is not None and w.grad.abs().sum() > 0 for n, w in adapted.named_parameters() if "lora_B" in n)
    network.enable_gradient_checkpointing()
