"""Text encoders of transformers as networks of frames: a frame a token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoModel

from ser.backbone.base import Tokens
from ser.backbone.checkpoint import check, create_network, log_parameters, make_config, read_tensors, rename
from ser.backbone.masked import make_mask
from ser.backbone.weights import Checkpoint
from ser.backbone.words import require_vocabulary
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.text_encoder import TextEncoder

#: Heads of larger models, what only they read, and what older versions of transformers saved beside weights.
DISPENSABLE = ("pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs.", "embeddings.position_ids")
#: What networks from before safetensors call the two parts of a layer normalisation.
NORMS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def load_text(backbone: TextEncoder) -> TextNetwork:
    """The network with its weights.

    Raises:
        InputError: a configuration of no encoder of text, weights that do not fill it.
    """
    family = backbone.read_config()["model_type"]
    if family not in CONFIG_MAPPING:
        raise InputError(f"backbone: transformers has no family {family}", expected="bert, roberta, xlm-roberta, …")
    settings: Any = backbone  # make_config reads a checkpoint's and the user's values of any backbone
    config = make_config(CONFIG_MAPPING[family], settings, {})
    vocabulary = None if backbone.source else require_vocabulary(backbone)
    model = create_network(lambda: make_encoder(config, backbone.source))
    if backbone.checkpoint is not None:
        fill(model, backbone.checkpoint)
        log_parameters(settings, model)
    return TextNetwork(model, backbone.encode_text, backbone.rate, vocabulary).eval()


def make_encoder(config: Any, source: str | None = None) -> nn.Module:
    """The network of a configuration without the layer that summarises a text, which not all checkpoints have.

    Raises:
        InputError: a network that decodes, or that reads no text.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise InputError(
            f"backbone.source={source}: {config.model_type} has an encoder and a decoder", expected="an encoder of text"
        )
    model: Any = AutoModel.from_config(config).float()
    if model.main_input_name != "input_ids":
        raise InputError(f"backbone.source={source}: {config.model_type} reads no text", expected="an encoder of text")
    if isinstance(getattr(model, "pooler", None), nn.Module):
        model.pooler = None
    return model


def fill(model: Any, checkpoint: Checkpoint) -> None:
    """Give a network the weights of a checkpoint, all of them; other parts of a larger model are left out.

    Raises:
        InputError: weights that cannot be read, or that do not fill the network.
    """
    prefix, wanted = f"{model.base_model_prefix}.", model.state_dict()
    found = {}
    for name, tensor in read_tensors(checkpoint).items():
        for old, new in NORMS.items():
            name = name.replace(old, new)
        found[name] = tensor
    own = {name: tensor for name, tensor in found.items() if name.startswith(prefix)} or found
    state = rename(own, wanted, [prefix])
    check(state, wanted, DISPENSABLE, checkpoint.source)
    model.load_state_dict({name: state[name].float() for name in wanted})


class TextNetwork(nn.Module):
    """Tokens to hidden states.

    Args:
        model: an encoder of transformers.
        encode: a text to tokens.
        rate: see :class:`ser.backbone.base.TextBackbone`.
        vocabulary: where it was learned; ``None`` where it comes with the checkpoint.
    """

    model: Any

    def __init__(
        self, model: nn.Module, encode: Callable[[str], np.ndarray], rate: int, vocabulary: Sequence[str] | None
    ) -> None:
        super().__init__()
        self.model = model
        self.encode_text = encode
        self.rate = rate
        self.vocabulary = vocabulary
        self.dim = int(self.model.config.hidden_size)
        self.depth = int(self.model.config.num_hidden_layers) + 1
        self.padding = int(getattr(self.model.config, "pad_token_id", None) or 0)

    @property
    def tokens(self) -> Tokens:
        """In tokens: they have no time."""
        return Tokens(0.0, 1.0)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """None: the embeddings are trained with the rest."""
        return ()

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The layers, from bottom to top; none where they share their weights."""
        lists = (module for module in self.model.modules() if isinstance(module, nn.ModuleList))
        return next((tuple(layers) for layers in lists if len(layers) == self.depth - 1), ())

    def enable_gradient_checkpointing(self) -> None:
        """Compute layers again in the backward pass instead of keeping what they computed: less memory, more time."""
        self.model.activation_checkpointing_enable({"use_reentrant": False})

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Tokens [B, T] with lengths [B] to ``depth`` tensors [B, T, dim] with the same lengths."""
        lengths = lengths.to(tokens.device)
        mask = make_mask(lengths, tokens.shape[1])
        # Positions of RoBERTa and its like count the tokens that are not padding, so padding must be the family's own.
        ids = tokens.masked_fill(~mask, self.padding)
        found = self.model(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
        return [*found.hidden_states[:-1], found.last_hidden_state], lengths
