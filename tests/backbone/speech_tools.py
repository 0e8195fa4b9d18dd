"""What tests of speech models share: tiny networks whose every weight matters, clips, batches."""

import json
from dataclasses import replace

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ser.paths import find_shipped

TINY = (
    "tiny_wav2vec2",
    "tiny_wav2vec2_layer_norm",
    "tiny_hubert",
    "tiny_wavlm",
    "tiny_data2vec",
    "tiny_whisper",
)
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
#: Variants of the tiny networks, so that each family is tested with both orders of normalisation that it has.
VARIANTS = {
    **{name: (name, {}) for name in TINY},
    "tiny_hubert, stable": ("tiny_hubert", STABLE),
    "tiny_hubert, batch norm": ("tiny_hubert", {"conv_pos_batch_norm": True}),
    "tiny_wavlm, stable": ("tiny_wavlm", STABLE),
}


def make_backbone(choice, config=None, **changes):
    """The backbone of a YAML in conf/backbone, with changes."""
    backbone = instantiate(OmegaConf.load(find_shipped("conf") / "backbone" / f"{choice}.yaml"))
    return replace(backbone, config={**backbone.config, **(config or {})}, **changes)


def perturb(network, seed=0):
    """Move all weights away from the ones, zeros and near-zeros they begin with; returns the network."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(
                0.3 * weight.std().nan_to_num(0.1).clamp(min=0.1) * torch.randn(weight.shape, generator=generator)
            )
    return network


def make_network(choice, config=None, **changes):
    """A tiny network in use."""
    return perturb(make_backbone(choice, config, **changes).build()).eval()


def make_waves(lengths, seed=0):
    """Noise of changing loudness, with an offset."""
    rng = np.random.default_rng(seed)
    waves = [0.02 + rng.uniform(0.01, 0.3) * rng.standard_normal(length) for length in lengths]
    return [torch.from_numpy(wave.astype(np.float32)) for wave in waves]


def pad(waves, padding=0):
    """Waves to a batch with lengths."""
    lengths = torch.tensor([len(wave) for wave in waves])
    batch = torch.zeros(len(waves), int(lengths.max()) + padding)
    for row, wave in zip(batch, waves, strict=True):
        row[: len(wave)] = wave
    return batch, lengths


def read(network, waves, padding=0):
    """Hidden states [L, F, D] of each clip of a batch."""
    hidden, frames = network(*pad(waves, padding))
    assert len(hidden) == network.depth
    assert all(state.shape == (len(waves), int(frames.max()), network.dim) for state in hidden)
    return [torch.stack([state[index, :length] for state in hidden]) for index, length in enumerate(frames.tolist())]


def write_preprocessor(folder, **settings):
    """Settings of a feature extractor beside a saved model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16000, **settings}))
    return folder
