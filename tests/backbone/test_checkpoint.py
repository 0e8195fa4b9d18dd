import json
from dataclasses import replace

import pytest
import torch
import transformers
from published_checkpoints import PUBLISHED
from safetensors.torch import load_file, save_file
from speech_tools import make_backbone, write_preprocessor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from ser.backbone import speech_network, whisper_network
from ser.backbone.checkpoint import check, make_config, rename
from ser.backbone.speech import Speech
from ser.backbone.weights import CONFIG
from ser.backbone.whisper import Whisper
from ser.errors import InputError

SPEECH = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8, 8],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
    "classifier_proj_size": 8,
    "codevector_dim": 8,
    "proj_codevector_dim": 8,
    "num_codevectors_per_group": 4,
    "xvector_output_dim": 8,
    "tdnn_dim": [8, 8],
    "tdnn_kernel": [3, 1],
    "tdnn_dilation": [1, 1],
    "use_weighted_layer_sum": True,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "vocab_size": 20,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "max_source_positions": 60,
    "classifier_proj_size": 8,
    "use_weighted_layer_sum": True,
}
COMMON = ("Model", "ForCTC", "ForSequenceClassification")
FRAMES = (*COMMON, "ForXVector", "ForAudioFrameClassification")
HEADS = {"Wav2Vec2": (*FRAMES, "ForPreTraining"), "Hubert": COMMON, "WavLM": FRAMES, "Data2VecAudio": FRAMES}
MODELS = [(family, head, {}) for family, heads in HEADS.items() for head in heads]
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
MODELS += [(family, "ForCTC", STABLE) for family in ("Wav2Vec2", "Hubert", "WavLM")]
MODELS += [(family, "ForCTC", {"add_adapter": True, "num_adapter_layers": 1}) for family in ("Wav2Vec2", "WavLM")]


def save(model, folder):
    write_preprocessor(folder, do_normalize=True)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def saved(tmp_path):
    return save(transformers.HubertForCTC(transformers.HubertConfig(**SPEECH)), tmp_path / "saved")


def change(folder, edit):
    """Edit the tensors of a saved model."""
    path = folder / "model.safetensors"
    state = load_file(path)
    edit(state)
    save_file(state, path)


@pytest.mark.parametrize(("family", "head", "extra"), MODELS)
def test_the_encoder_of_every_model_of_a_family_loads(family, head, extra, tmp_path):
    config = getattr(transformers, f"{family}Config")(**SPEECH, **extra)
    model = getattr(transformers, family + head)(config)
    network = Speech(str(save(model, tmp_path / "saved"))).build()
    base = getattr(model, model.base_model_prefix, model)
    expected = {name: value for name, value in base.state_dict().items() if not name.startswith(("masked", "adapter"))}
    found = network.model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert not network.training and not any(weight.is_meta for weight in network.parameters())


@pytest.mark.parametrize(
    "kind",
    [
        WhisperEncoder,
        transformers.WhisperModel,
        transformers.WhisperForConditionalGeneration,
        transformers.WhisperForAudioClassification,
    ],
)
def test_the_encoder_of_every_whisper_loads(kind, tmp_path):
    model = kind(transformers.WhisperConfig(**WHISPER))
    network = Whisper(str(save(model, tmp_path / "saved"))).build()
    expected = (model if kind is WhisperEncoder else model.get_encoder()).state_dict()
    found = network.encoder.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_half_precision_becomes_single(saved):
    expected = Speech(str(saved)).build().model.state_dict()
    change(saved, lambda state: state.update({name: value.half() for name, value in state.items()}))
    for name, value in Speech(str(saved)).build().model.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, expected[name], atol=1e-2, rtol=1e-2)


def test_pickled_and_sharded_weights_and_old_names(saved):
    expected = Speech(str(saved)).build().model.state_dict()

    def compare():
        found = Speech(str(saved)).build().model.state_dict()
        assert all(torch.equal(found[name], value) for name, value in expected.items())

    old = ("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v")
    state = load_file(saved / "model.safetensors")
    for new, name in old:
        for key in [key for key in state if key.endswith(new)]:
            state[key.removesuffix(new) + name] = state.pop(key)
    (saved / "model.safetensors").unlink()
    torch.save(state, saved / "pytorch_model.bin")
    compare()
    (saved / "pytorch_model.bin").unlink()
    names = {key: f"model-{index % 2}.safetensors" for index, key in enumerate(state)}
    for file in set(names.values()):
        save_file({key: state[key] for key in names if names[key] == file}, saved / file)
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    compare()


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda state: state.pop("hubert.encoder.layers.1.attention.q_proj.weight"), "missing: encoder.layers.1.att"),
        (lambda state: state.update({"hubert.encoder.layers.2.x": torch.zeros(1)}), "unexpected: encoder.layers.2.x"),
        (lambda state: state.update({"new_head.weight": torch.zeros(1)}), "unexpected: new_head.weight"),
        (
            lambda state: state.update({"hubert.encoder.layer_norm.bias": torch.zeros(3)}),
            "of another shape: encoder.layer_norm.bias",
        ),
        (lambda state: [state.pop(key) for key in list(state) if "layers.0." in key], "and [0-9]+ more"),
        (lambda state: [state.pop(key) for key in list(state) if key != "lm_head.bias"], "missing: encoder"),
    ],
)
def test_weights_that_do_not_fill_the_network_are_refused(saved, edit, told):
    change(saved, edit)
    with pytest.raises(InputError, match=told):
        Speech(str(saved)).build()


def test_a_configuration_that_does_not_fit_its_weights_is_refused(saved):
    config = json.loads((saved / CONFIG).read_text())
    (saved / CONFIG).write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"missing: encoder\.layers\.2"):
        Speech(str(saved)).build()
    with pytest.raises(InputError, match=r"unexpected: encoder\.layers\.1"):
        Speech(str(saved), config={"num_hidden_layers": 1}).build()
    assert Speech(str(saved), config={"num_hidden_layers": 2, "hidden_dropout": 0.0}).build().depth == 3


def test_values_of_older_configurations_do_no_harm(saved):
    config = json.loads((saved / CONFIG).read_text())
    older = {"gradient_checkpointing": True, "vocab_size": None, "hidden_dropout_prob": 0.1, "layerdrop": 0.5}
    (saved / CONFIG).write_text(json.dumps(config | older | {"torch_dtype": "float16"}))
    network = Speech(str(saved)).build()
    assert not any(getattr(module, "gradient_checkpointing", False) for module in network.modules())
    assert network.model.config.layerdrop == 0


def test_a_window_of_other_mel_bands_is_refused(tmp_path):
    folder = save(WhisperEncoder(transformers.WhisperConfig(**WHISPER)), tmp_path / "saved")
    write_preprocessor(folder, feature_size=128)
    with pytest.raises(InputError, match="128 mel bands"):
        Whisper(str(folder)).build()


@pytest.mark.parametrize("choice", PUBLISHED)
def test_published_checkpoints_fill_their_networks(choice):
    settings, tensors, millions = PUBLISHED[choice]
    backbone = replace(make_backbone(choice), source=None)
    known = replace(backbone, config=settings)
    if isinstance(backbone, Whisper):
        config = make_config(transformers.WhisperConfig, known, whisper_network.FIXED)
        prefixes, dispensable, kind = whisper_network.PREFIXES, whisper_network.DISPENSABLE, WhisperEncoder
    else:
        kind = speech_network.NETWORKS[settings["model_type"]]
        config = make_config(kind.config_class, known, speech_network.FIXED)
        prefixes, dispensable = [f"{kind.base_model_prefix}."], speech_network.DISPENSABLE
    with torch.device("meta"):
        wanted = kind(config).state_dict()
        state = {name: torch.empty(shape) for name, shape in tensors.items()}
    check(rename(state, wanted, prefixes), wanted, dispensable, choice)
    assert sum(tensor.numel() for tensor in wanted.values()) / 1e6 == pytest.approx(millions, rel=0.01)
    for name in wanted:  # none of them is dispensable
        lacking = {key: tensor for key, tensor in rename(state, wanted, prefixes).items() if key != name}
        with pytest.raises(InputError, match="missing"):
            check(lacking, wanted, dispensable, choice)
