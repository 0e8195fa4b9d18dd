"""Weights as transformers keeps them: a folder with config.json, model.safetensors and what readers of it need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.errors import InputError
from ser.language.texts import BEGIN, BLANK, END, SPACE, UNKNOWN, Vocabulary
from ser.results import write_json

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from ser.language.recognition import Recogniser


def save_recogniser(recogniser: Recogniser, vocabulary: Vocabulary, folder: Path) -> None:
    """Write a model that ``AutoModelForCTC`` and ``AutoProcessor`` of transformers load."""
    from transformers import AutoModelForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    silence_progress()
    network = merge_adapters(recogniser.backbone)
    encoder: PreTrainedModel = network.model
    config = deepcopy(encoder.config)
    config.vocab_size, config.ctc_loss_reduction, config.ctc_zero_infinity = len(vocabulary), "mean", True
    for name, token in (("pad", BLANK), ("bos", BEGIN), ("eos", END)):
        setattr(config, f"{name}_token_id", vocabulary.tokens[token])
    model = AutoModelForCTC.from_config(config)
    getattr(model, model.base_model_prefix).load_state_dict(encoder.state_dict())
    model.lm_head.load_state_dict(recogniser.layers.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    names = {"pad_token": BLANK, "bos_token": BEGIN, "eos_token": END, "unk_token": UNKNOWN}
    (folder / "vocab.json").write_text(json.dumps(vocabulary.tokens, ensure_ascii=False) + "\n", encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(folder / "vocab.json", word_delimiter_token=SPACE, **names)
    extractor = Wav2Vec2FeatureExtractor(
        sampling_rate=network.rate,
        do_normalize=network.normalise,
        # Networks with group normalisation were trained without attention masks.
        return_attention_mask=getattr(config, "feat_extract_norm", "layer") == "layer",
    )
    extractor.save_pretrained(folder)  # as transformers before version 5 reads it
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)


def save_encoder(network: Any, settings: Mapping[str, Any], folder: Path) -> None:
    """Write the encoder of a backbone's network alone.

    Args:
        network: with a model of transformers in it.
        settings: how clips reach it, as the checkpoint it started from has them.
        folder: where to.
    """
    from transformers import PreTrainedModel

    silence_progress()
    folder.mkdir(parents=True, exist_ok=True)
    encoder = next(module for module in network.children() if isinstance(module, PreTrainedModel))
    encoder.save_pretrained(folder)
    own = {"do_normalize": network.normalise} if hasattr(network, "normalise") else {}
    write_json(folder / "preprocessor_config.json", {"sampling_rate": network.rate, **settings, **own})


def silence_progress() -> None:
    """Writing a file takes no progress bar."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def load_trained(network: Any, weights: Mapping[str, Tensor], shown: str) -> None:
    """Fill in what a finished training kept of a backbone's network.

    Args:
        network: as fine-tuning prepared it, with the weights it started from.
        weights: state of those that were trained.
        shown: what messages call the training.

    Raises:
        InputError: nothing was trained, or another network was.
    """
    unexpected = network.load_state_dict(weights, strict=False).unexpected_keys
    if unexpected or not weights:
        raise InputError(
            f"language.run={shown}: " + (f"unexpected weights {unexpected[:5]}" if unexpected else "no weights in it"),
            expected="a run of `ser train` that trained this very backbone (finetune=full, lora, …)",
        )


def merge_adapters(network: Any) -> Any:
    """The network with low-rank adapters added into the weights that they adapt, as it was built."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(network.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            network.set_submodule(name, module.get_base_layer())
    return network
