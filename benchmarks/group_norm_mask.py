"""Padding and masks in networks whose feature encoder normalises over time (wav2vec2-base, hubert-base).

Each clip is embedded (mean of the last hidden state over time) alone, and padded with zeros as in a batch with longer
clips: by transformers without an attention mask, as its documentation advises for these networks; by transformers with
one; and by ser. The network has the layers of wav2vec2-base in small and RANDOM weights: the numbers show that
embeddings change and by what mechanism, not by how much those of a trained network would.

Columns: error, the distance to the embedding of the clip alone over that embedding's length; and the same distance over
the median distance between two clips: above 1, padding moves a clip further than another clip is away.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from ser.backbone.speech import Speech
from ser.backbone.speech_network import SpeechNetwork

CONFIG = {
    "model_type": "wav2vec2",
    "feat_extract_norm": "group",
    "conv_dim": [256] * 7,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
}
#: Zeros after a clip, in lengths of the clip.
PADDINGS = (0.0, 0.1, 0.5, 1.0, 3.0)


def main() -> int:
    """Measure and print; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8, help="clips of EmoDB, from $SER_DATA/emodb (default: 8)")
    parser.add_argument("--seeds", type=int, default=2, help="networks (default: 2)")
    options = parser.parse_args()
    clips = read_clips(options.clips)
    if not clips:
        sys.stderr.write("no clips: set SER_DATA to the folder with emodb/\n")
        return 2
    print(f"{len(clips)} clips of EmoDB, {options.seeds} networks of 4 layers x 256 with random weights\n")
    print(f"{'padding':>8}  {'way':<44} {'error':>8} {'over clips':>11} {'cosine':>9}")
    found = [measure(Speech(config=CONFIG, seed=seed).build(), clips) for seed in range(options.seeds)]
    for padding in PADDINGS:
        for way in WAYS:
            error, share, cosine = np.median([row[padding, way] for row in found], axis=0)
            print(f"{padding:>7.0%}  {way:<44} {error:>8.1e} {share:>11.1e} {cosine:>9.5f}")
    return 0


def read_clips(most: int) -> list[Tensor]:
    """Clips from all over the corpus."""
    root = Path(os.environ.get("SER_DATA", "data"), "emodb")
    paths = sorted(path for path in root.rglob("*") if path.suffix in (".wav", ".flac"))
    chosen = paths[:: max(1, len(paths) // most)][:most]
    return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in chosen]


@torch.inference_mode()
def measure(network: SpeechNetwork, clips: list[Tensor]) -> dict[tuple[float, str], tuple[float, float, float]]:
    """For each padding and way: error, error over the distance between clips, cosine; medians over clips."""
    alone = [embed_unmasked(network, clip, 0) for clip in clips]
    between = np.median([float((a - b).norm()) for i, a in enumerate(alone) for b in alone[:i]])
    found = {}
    for padding in PADDINGS:
        for name, embed in WAYS.items():
            rows = []
            for clip, reference in zip(clips, alone, strict=True):
                embedding = embed(network, clip, round(padding * len(clip)))
                distance = float((embedding - reference).norm())
                cosine = float(torch.cosine_similarity(embedding, reference, dim=0))
                rows.append((distance / float(reference.norm()), distance / between, cosine))
            found[padding, name] = tuple(np.median(rows, axis=0))
    return found


def embed_ours(network: SpeechNetwork, clip: Tensor, padding: int) -> Tensor:
    """By ser."""
    batch = torch.zeros(2, len(clip) + padding)
    batch[0, : len(clip)] = clip
    batch[1] = 0.1 * torch.randn(len(clip) + padding, generator=torch.Generator().manual_seed(0))
    hidden, frames = network(batch, torch.tensor([len(clip), len(clip) + padding]))
    return hidden[-1][0, : frames[0]].mean(0)


def embed_unmasked(network: SpeechNetwork, clip: Tensor, padding: int) -> Tensor:
    """By transformers without a mask, over the clip's own frames."""
    return run(network, clip, padding, masked=False)[: count_frames(network, len(clip))].mean(0)


def embed_unmasked_all(network: SpeechNetwork, clip: Tensor, padding: int) -> Tensor:
    """By transformers without a mask, over all frames."""
    return run(network, clip, padding, masked=False).mean(0)


def embed_masked(network: SpeechNetwork, clip: Tensor, padding: int) -> Tensor:
    """By transformers with a mask, over the clip's own frames."""
    return run(network, clip, padding, masked=True)[: count_frames(network, len(clip))].mean(0)


WAYS = {
    "transformers, no mask, mean over all frames": embed_unmasked_all,
    "transformers, no mask, mean over own frames": embed_unmasked,
    "transformers, mask, mean over own frames": embed_masked,
    "ser": embed_ours,
}


def run(network: SpeechNetwork, clip: Tensor, padding: int, masked: bool) -> Tensor:
    """Last hidden state [F, D] of transformers' own forward pass, on input as its feature extractor prepares it."""
    values = (clip - clip.mean()) / (clip.var(correction=0) + 1e-7).sqrt()
    values = torch.nn.functional.pad(values, (0, padding))[None]
    mask = (torch.arange(values.shape[1]) < len(clip))[None].long() if masked else None
    return network.model(values, attention_mask=mask).last_hidden_state[0]


def count_frames(network: SpeechNetwork, length: int) -> int:
    """Frames of a clip of so many samples."""
    return int(network.model._get_feat_extract_output_lengths(length))


if __name__ == "__main__":
    sys.exit(main())
