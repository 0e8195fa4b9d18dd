"""The forward pass of wav2vec 2.0, HuBERT, WavLM and data2vec-audio, exact for clips of different lengths in a batch.

A clip yields what the network of transformers yields for it alone. The loops over layers are written out here because
transformers itself lets padding into clips, in places that differ by family:

- Feature encoders with group normalisation (wav2vec2-base, hubert-base) normalise each channel over time, so padding
  enters the statistics. transformers advises to pad such networks with zeros and to pass no attention mask, as in their
  training (https://github.com/huggingface/transformers/pull/10117); then a clip's frames depend on how far it was
  padded. Here the statistics are over the clip's own frames, and its own frames alone are attended to: the same as
  without padding. An attention mask alone would not do, see benchmarks/group_norm_mask.py.
- Positional convolutions reach half a kernel beyond a clip's end. They see zeros there, as at the edge of a single
  clip; data2vec-audio stacks five, so the zeros are put back before each of them.
- Attention leaves out padding in all families.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import Data2VecAudioModel, HubertModel, PreTrainedModel, Wav2Vec2Model, WavLMModel
from transformers.masking_utils import create_bidirectional_mask
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from ser.backbone.base import Tokens
from ser.backbone.checkpoint import log_parameters, make_config, make_model
from ser.backbone.masked import find_longest, is_full, make_mask

if TYPE_CHECKING:
    from ser.backbone.speech import Speech

NETWORKS: dict[str, type[PreTrainedModel]] = {
    "wav2vec2": Wav2Vec2Model,
    "hubert": HubertModel,
    "wavlm": WavLMModel,
    "data2vec-audio": Data2VecAudioModel,
}
#: A network that skips layers at random or masks frames yields other hidden states than the one that is described;
#: adapters shorten the sequence after the encoder. Whether to save memory is for the run to say, not for a checkpoint.
FIXED = {
    "layerdrop": 0.0,
    "apply_spec_augment": False,
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
    "add_adapter": False,
    "gradient_checkpointing": False,
}
#: Heads, quantiser and adapter of larger models, and the embedding of masked frames.
DISPENSABLE = (
    "adapter.",
    "classifier.",
    "feature_extractor.bias",
    "feature_extractor.weight",
    "final_proj.",
    "layer_weights",
    "lm_head.",
    "masked_spec_embed",
    "objective.",
    "project_hid.",
    "project_q.",
    "projector.",
    "quantizer.",
    "tdnn.",
)


def load_speech(backbone: Speech) -> SpeechNetwork:
    """The network with its weights.

    Raises:
        InputError: a configuration of no network, weights that do not fill it.
    """
    kind: Any = NETWORKS[backbone.read_config()["model_type"]]
    config = make_config(kind.config_class, backbone, FIXED)
    model = make_model(lambda: kind(config), backbone, [f"{kind.base_model_prefix}."], DISPENSABLE)
    network = SpeechNetwork(model, backbone.choose_normalise(), backbone.rate).eval()
    log_parameters(backbone, network)
    return network


class SpeechNetwork(nn.Module):
    """Waveforms to hidden states.

    A clip shorter than the feature encoder's receptive field (25 ms) yields one frame, of the clip followed by zeros.
    The last hidden state is what the network of transformers calls ``last_hidden_state``: networks that normalise
    before each block normalise it once more.

    Args:
        model: the encoder of transformers.
        normalise: bring clips to zero mean and unit variance.
        rate: sampling rate in Hz.
    """

    model: Any

    def __init__(self, model: PreTrainedModel, normalise: bool, rate: int) -> None:
        super().__init__()
        self.model = model
        self.normalise = normalise
        self.rate = rate
        self.dim = int(model.config.hidden_size)
        self.depth = int(model.config.num_hidden_layers) + 1
        self.field = find_field(model.config.conv_kernel, model.config.conv_stride)
        for module in model.modules():
            if isinstance(module, WavLMAttention):
                module.__class__ = GatedAttention

    @property
    def tokens(self) -> Tokens:
        """Centres of what each frame's convolutions see."""
        return Tokens((self.field - 1) / 2 / self.rate, math.prod(self.model.config.conv_stride) / self.rate)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """The convolutional feature encoder."""
        return (self.model.feature_extractor,)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The transformer's layers, from bottom to top."""
        return tuple(self.model.encoder.layers)

    def enable_gradient_checkpointing(self) -> None:
        """Compute layers again in the backward pass instead of keeping what they computed: less memory, more time."""
        self.model.activation_checkpointing_enable({"use_reentrant": False})

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T] with lengths [B] in samples to ``depth`` tensors [B, F, dim] with lengths [B] in frames."""
        waves, lengths = self.prepare(waveforms, lengths.to(waveforms.device))
        features, lengths = self.encode(waves, lengths)
        projected = self.model.feature_projection(features.transpose(1, 2))
        x = projected[0] if isinstance(projected, tuple) else projected  # all but HuBERT's return their input as well
        return self.transform(x, make_mask(lengths, x.shape[1])), lengths

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Clips normalised over their own samples, zero beyond, and at least as long as the receptive field."""
        waves = waveforms[:, : max(1, find_longest(lengths, waveforms.shape[1]))]
        mask = make_mask(lengths, waves.shape[1])
        if self.normalise:
            count = lengths.clamp(min=1)[:, None]
            centred = waves - (waves * mask).sum(1, keepdim=True) / count
            variance = (centred.square() * mask).sum(1, keepdim=True) / count
            waves = centred / (variance + 1e-7).sqrt()  # as Wav2Vec2FeatureExtractor does
        waves = waves * mask
        return pad(waves, (0, max(0, self.field - waves.shape[1]))), lengths.clamp(min=self.field)

    def encode(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, T] to features [B, C, F] with lengths [B]; the convolutions do not pad, so clips stay apart."""
        x = waves[:, None]
        config = self.model.config
        layers = self.model.feature_extractor.conv_layers
        for layer, kernel, stride in zip(layers, config.conv_kernel, config.conv_stride, strict=True):
            over_time = isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm)
            x = apply_apart(layer, x, lengths) if over_time else layer(x)
            lengths = (lengths - kernel) // stride + 1
        return x, lengths

    def transform(self, x: Tensor, mask: Tensor) -> list[Tensor]:
        """Projected features [B, F, D] with mask [B, F] to hidden states."""
        encoder, stable = self.model.encoder, getattr(self.model.config, "do_stable_layer_norm", False)
        x = x * mask[..., None]
        x = x + self.embed_positions(x, mask)
        x = encoder.dropout(x if stable else encoder.layer_norm(x))
        attended: Any = None if is_full(mask) else mask
        hidden = [x]
        if self.model.config.model_type == "wavlm":
            bias = None  # of relative positions; the first layer makes it for all
            for layer in encoder.layers:
                x, bias = layer(x, attention_mask=attended, position_bias=bias)
                hidden.append(x)
        else:
            attended = create_bidirectional_mask(self.model.config, x, attended)
            for layer in encoder.layers:
                x = layer(x, attention_mask=attended)
                hidden.append(x)
        if stable:
            hidden[-1] = encoder.layer_norm(x)
        return hidden

    def embed_positions(self, x: Tensor, mask: Tensor) -> Tensor:
        """Positions [B, F, D] of features that are zero beyond each clip."""
        embedding = self.model.encoder.pos_conv_embed
        if hasattr(embedding, "layers"):  # data2vec-audio
            x, inside = x.transpose(1, 2), mask[:, None]
            for layer in embedding.layers:
                x = layer(x * inside)
            return x.transpose(1, 2)
        norm = getattr(embedding, "batch_norm", None)
        if norm is None:
            return embedding(x)
        # Some HuBERTs have batch normalisation there: of the clips' own frames, with zeros beyond for the convolution.
        normalised = torch.zeros_like(x).masked_scatter(mask[..., None], norm(x[mask]))
        return embedding.activation(embedding.padding(embedding.conv(normalised.transpose(1, 2)))).transpose(1, 2)


class GatedAttention(WavLMAttention):
    """WavLM's attention, with the projections called as modules.

    transformers hands their bare weights to one function of torch, so that adapters wrapped around a projection (LoRA)
    would never be heard, and attention weights that nobody reads would be computed.
    """

    def torch_multi_head_self_attention(  # type: ignore[override]
        self, hidden_states: Tensor, attention_mask: Tensor | None, gated_position_bias: Tensor
    ) -> tuple[Tensor, None]:
        """Attend: hidden states [B, F, D], mask [B, F], bias [B x heads, F, F] to [B, F, D]."""
        size, length, _ = hidden_states.shape

        def split(x: Tensor) -> Tensor:
            return x.view(size, length, self.num_heads, -1).transpose(1, 2)

        query, key, value = (split(project(hidden_states)) for project in (self.q_proj, self.k_proj, self.v_proj))
        bias = gated_position_bias.view(size, self.num_heads, length, length).to(query.dtype)
        if attention_mask is not None:
            bias = bias.masked_fill(~attention_mask[:, None, None, :], float("-inf"))
        dropout = self.dropout if self.training else 0.0
        attended = scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        return self.out_proj(attended.transpose(1, 2).reshape(size, length, -1)), None


def apply_apart(layer: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    """A layer on each clip of [B, C, T] by itself, without its padding; lengths [B]. No slower than on the batch."""
    if torch.compiler.is_exporting():  # nothing is padded there
        return layer(x)
    clips = [layer(clip[None, :, :length])[0] for clip, length in zip(x, lengths.tolist(), strict=True)]
    longest = max(clip.shape[-1] for clip in clips)
    return torch.stack([pad(clip, (0, longest - clip.shape[-1])) for clip in clips])


def find_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Samples that one frame of stacked convolutions sees."""
    field = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        field = (field - 1) * stride + kernel
    return field
