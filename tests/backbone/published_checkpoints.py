"""Tensors of published checkpoints, as their files name them, for networks whose weights are not at hand.

Sources. Names: the scripts by which transformers converted the published weights, in v4.20 to v4.40 of
https://github.com/huggingface/transformers (``MAPPING`` and ``load_conv_layer`` in each
``convert_…_original_pytorch_checkpoint_to_pytorch.py`` of wav2vec2, hubert, wavlm and data2vec_audio;
``WHISPER_MAPPING`` in ``convert_openai_to_hf.py``). The files date from before torch's parametrizations, hence
``weight_g`` and ``weight_v``. Shapes and settings: Baevski et al. (2020), Hsu et al. (2021), Chen et al. (2022),
Baevski et al. (2022), Radford et al. (2023), and config.json of each id on https://huggingface.co. Parameters: the same
papers, and the size of audEERING's file there (661 MB in float32).
"""

CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


def list_speech(width, inner, layers, group_norm=False, conv_bias=False, heads=0, positions=(1, 128), prefix=""):
    """Tensors of a wav2vec 2.0, HuBERT, or (with heads) WavLM; of a data2vec-audio with its stacked positions."""
    found = {"masked_spec_embed": (width,)}
    for index, (kernel, _) in enumerate(CONVOLUTIONS):
        layer = f"feature_extractor.conv_layers.{index}"
        found[f"{layer}.conv.weight"] = (512, 512 if index else 1, kernel)
        if conv_bias:
            found[f"{layer}.conv.bias"] = (512,)
        if index == 0 or not group_norm:
            found |= list_pair(f"{layer}.layer_norm", (512,))
    found |= list_pair("feature_projection.layer_norm", (512,))
    found |= list_pair("feature_projection.projection", (width, 512))
    stacked, kernel = positions
    if stacked == 1:
        embedding = "encoder.pos_conv_embed.conv"
        found |= {f"{embedding}.bias": (width,), f"{embedding}.weight_g": (1, 1, kernel)}
        found[f"{embedding}.weight_v"] = (width, width // 16, kernel)
    else:
        for index in range(stacked):
            found |= list_pair(f"encoder.pos_conv_embed.layers.{index}.conv", (width, width // 16, kernel))
    found |= list_pair("encoder.layer_norm", (width,))
    for index in range(layers):
        layer = f"encoder.layers.{index}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= list_pair(f"{layer}.attention.{name}", (width, width))
        if heads:
            found |= list_pair(f"{layer}.attention.gru_rel_pos_linear", (8, width // heads))
            found[f"{layer}.attention.gru_rel_pos_const"] = (1, heads, 1, 1)
        found |= list_pair(f"{layer}.layer_norm", (width,)) | list_pair(f"{layer}.final_layer_norm", (width,))
        found |= list_pair(f"{layer}.feed_forward.intermediate_dense", (inner, width))
        found |= list_pair(f"{layer}.feed_forward.output_dense", (width, inner))
    if heads:
        found["encoder.layers.0.attention.rel_attn_embed.weight"] = (320, heads)
    return {prefix + name: shape for name, shape in found.items()}


def list_quantiser(width, codevectors, projected):
    """Tensors with which a wav2vec 2.0 was pretrained, beside the encoder."""
    return {
        "quantizer.codevectors": (1, 640, codevectors // 2),
        **list_pair("quantizer.weight_proj", (640, 512)),
        **list_pair("project_q", (projected, codevectors)),
        **list_pair("project_hid", (projected, width)),
    }


def list_whisper(width, layers):
    """Tensors of a whole Whisper: encoder and decoder."""
    found = {"model.encoder.embed_positions.weight": (1500, width)}
    found |= list_pair("model.encoder.conv1", (width, 80, 3)) | list_pair("model.encoder.conv2", (width, width, 3))
    found |= {"model.decoder.embed_tokens.weight": (51865, width), "model.decoder.embed_positions.weight": (448, width)}
    for side, attentions in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "encoder_attn"])):
        found |= list_pair(f"model.{side}.layer_norm", (width,))
        for index in range(layers):
            layer = f"model.{side}.layers.{index}"
            for attention in attentions:
                found |= list_pair(f"{layer}.{attention}_layer_norm", (width,))
                found[f"{layer}.{attention}.k_proj.weight"] = (width, width)  # keys have no bias
                for name in ("q_proj", "v_proj", "out_proj"):
                    found |= list_pair(f"{layer}.{attention}.{name}", (width, width))
            found |= list_pair(f"{layer}.final_layer_norm", (width,))
            found |= list_pair(f"{layer}.fc1", (4 * width, width)) | list_pair(f"{layer}.fc2", (width, 4 * width))
    return found


def list_pair(name, shape):
    """A weight and its bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
WAV2VEC2 = {"model_type": "wav2vec2"}
HUBERT = {"model_type": "hubert"}
WAVLM = {"model_type": "wavlm", "num_buckets": 320, "max_bucket_distance": 800}


def make_whisper(width, layers, heads):
    """Settings and tensors of a Whisper."""
    config = {"model_type": "whisper", "d_model": width, "encoder_layers": layers, "encoder_attention_heads": heads}
    return {**config, "encoder_ffn_dim": 4 * width}, list_whisper(width, layers)


#: YAML in conf/backbone: decisive settings, tensors, millions of parameters of the encoder.
PUBLISHED = {
    "wav2vec2_base": (
        WAV2VEC2 | BASE | {"feat_extract_norm": "group"},
        list_speech(768, 3072, 12, group_norm=True, prefix="wav2vec2.") | list_quantiser(768, 256, 256),
        95,
    ),
    "wav2vec2_large_xlsr_53": (
        WAV2VEC2 | LARGE | STABLE | {"conv_bias": True},
        list_speech(1024, 4096, 24, conv_bias=True, prefix="wav2vec2.") | list_quantiser(1024, 768, 768),
        317,
    ),
    "hubert_base_ls960": (
        HUBERT | BASE | {"feat_extract_norm": "group"},
        list_speech(768, 3072, 12, group_norm=True),
        95,
    ),
    "hubert_large_ll60k": (
        HUBERT | LARGE | STABLE | {"conv_bias": True},
        list_speech(1024, 4096, 24, conv_bias=True),
        317,
    ),
    "wavlm_base_plus": (
        WAVLM | BASE | {"feat_extract_norm": "group"},
        list_speech(768, 3072, 12, group_norm=True, heads=12),
        94.7,
    ),
    "wavlm_large": (WAVLM | LARGE | STABLE, list_speech(1024, 4096, 24, heads=16), 316.6),
    "audeering_dimensional": (
        WAV2VEC2 | LARGE | STABLE | {"num_hidden_layers": 12, "conv_bias": True, "vocab_size": None},
        list_speech(1024, 4096, 12, conv_bias=True, prefix="wav2vec2.")
        | list_pair("classifier.dense", (1024, 1024))
        | list_pair("classifier.out_proj", (3, 1024)),
        661 / 4 - 1.05,
    ),
    "data2vec_audio_base": (
        {"model_type": "data2vec-audio", "num_conv_pos_embeddings": 5, "conv_pos_kernel_size": 19, **BASE},
        list_speech(768, 3072, 12, positions=(5, 19)),
        93,
    ),
    "whisper_tiny": (*make_whisper(384, 4, 6), 8.2),
    "whisper_base": (*make_whisper(512, 6, 8), 20.6),
    "whisper_small": (*make_whisper(768, 12, 12), 88.2),
}
