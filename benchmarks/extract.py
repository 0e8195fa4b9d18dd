"""Clips a second of a frozen network: ``ser``'s extraction against the loops that people write, with the same network.

All sides run in one process in turn, with the same weights, and say what a CPU second yields: on a shared machine, wall
seconds say little. ``ser`` reads files, runs batches, pools every layer and writes the feature store; the loops read
files and keep the mean of every layer's frames in memory.

- *one file at a time*: each file by itself through the same network.
- *one file at a time, feature extractor* (Whisper only): as the documentation of transformers has it; its feature
  extractor pads each clip with silence to 30 s.
- *batches in the order of the files*: padded to the longest clip of each batch, the network told the lengths.
- *batches padded to one length*: to the corpus's longest clip (or ``--seconds``), as loaders with a fixed length do,
  which take the zeros for sound.
- *network alone*: batches as long as ``ser``'s on average, but without any padding, from memory; nothing is read,
  pooled or written. What is lost against this is all that is not the network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from hydra.utils import instantiate
from timing import describe_machine, print_table

from ser.audio.inspect import inspect_clips
from ser.audio.prepare import Preparation
from ser.backbone.extract import Waveforms
from ser.backbone.frames import SECONDS, cut_batches, run_network
from ser.backbone.statistics import Statistics
from ser.backbone.store import FeatureStore
from ser.config import compose

AUDIO = {".wav", ".flac"}
RATE = 16000
#: Clips of a batch in the loops that have batches.
BATCH = 8
#: The feature extractor's loop takes ten times as long as others, so it gets one clip in so many.
FEW = 12
OURS = "ser"


def main() -> int:
    """Measure and print; returns an exit code."""
    options = parse_arguments()
    if options.root is None:
        print("extraction was not measured: pass --root with a corpus's folder, or set SER_DATA")
        return 0
    paths = sorted(path for path in options.root.rglob("*") if path.suffix.lower() in AUDIO)[:: options.every]
    if not paths:
        sys.stderr.write(f"{options.root}: no wav or flac files there\n")
        return 2
    torch.set_num_threads(options.threads)
    backbone = instantiate(compose([f"backbone={options.backbone}"]).backbone)
    sides = Sides(backbone, make_frame(paths), options.seconds)
    rates = measure({**sides.list(), **sides.list_few()}, options.repeats)
    print(f"{describe_corpus(sides)}; {options.threads} threads; {describe_machine(options.repeats)}")
    report(rates)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("SER_DATA")
    root = Path(data, "emodb") if data else None
    parser.add_argument("--root", type=Path, default=root, help="folder of a corpus (default: $SER_DATA/emodb)")
    parser.add_argument(
        "--backbone", default="whisper_tiny_en", help="a choice of conf/backbone (default: %(default)s)"
    )
    parser.add_argument("--every", type=int, default=1, help="take one file in so many (default: 1)")
    parser.add_argument("--seconds", type=float, help="fixed length of padded clips (default: the longest clip's)")
    parser.add_argument("--threads", type=int, default=1, help="of each side (default: 1)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each side (default: 3)")
    return parser.parse_args()


def make_frame(paths: Sequence[Path]) -> pd.DataFrame:
    """Files as rows of a manifest, inspected."""
    frame = pd.DataFrame({"clip": [path.stem for path in paths], "path": list(map(str, paths))})
    frame = frame.assign(start=np.nan, end=np.nan)
    return inspect_clips(frame, Preparation(), RATE).assign(start=np.nan, end=np.nan)


@dataclass(frozen=True)
class Built:
    """A backbone whose network is there, so that loading weights counts on no side."""

    network: Any
    rate: int = RATE

    def identify(self) -> dict[str, object]:
        """A name."""
        return {"extractor": "benchmark"}

    def build(self) -> Any:
        """The network."""
        return self.network


class Sides:
    """What is compared; each takes all clips once."""

    def __init__(self, backbone: Any, frame: pd.DataFrame, seconds: float | None) -> None:
        self.backbone = backbone
        self.network = backbone.build().eval()
        self.frame = frame
        self.paths = frame["path"].tolist()
        self.samples = frame["samples"].to_numpy()
        self.fixed = int(self.samples.max()) if seconds is None else round(seconds * RATE)
        batches = cut_batches(dict(enumerate(self.samples.tolist())), round(SECONDS * RATE))  # type: ignore[arg-type]
        self.equal = [(len(batch), round(float(self.samples[batch].mean()))) for batch in batches]

    def list(self) -> dict[str, tuple[Callable[[], Any], int]]:
        """Sides by name, each with the number of its clips."""
        count = len(self.paths)
        return {
            OURS: (self.run_ser, count),
            "one file at a time": (self.run_alone, count),
            f"batches of {BATCH} in the order of the files": (lambda: self.run_padded(None), count),
            f"batches of {BATCH} padded to {self.fixed / RATE:.1f} s": (lambda: self.run_padded(self.fixed), count),
            "network alone, no padding": (self.run_network_alone, count),
        }

    def list_few(self) -> dict[str, tuple[Callable[[], Any], int]]:
        """Sides that get only some of the clips, because they take long."""
        if not hasattr(self.network, "encoder") or getattr(self.backbone, "max_frames", None) is None:
            return {}
        few = self.paths[::FEW]
        return {"one file at a time, feature extractor": (lambda: self.run_transformers(few), len(few))}

    def run_ser(self) -> None:
        """Files to the feature store."""
        waveforms = Waveforms(self.frame, self.frame["digest"].tolist(), Preparation(), RATE)
        with tempfile.TemporaryDirectory(prefix="ser-extract-") as root:
            built = Built(self.network)
            store = FeatureStore(root, built.identify())
            run_network(built, waveforms, waveforms.digests, store, Statistics(), "cpu")  # type: ignore[arg-type]

    @torch.inference_mode()
    def run_alone(self) -> list[np.ndarray]:
        """Every file by itself."""
        found = []
        for path in self.paths:
            waveform = torch.from_numpy(Preparation().read(path, RATE))[None]
            hidden, _ = self.network(waveform, torch.tensor([waveform.shape[1]]))
            found.append(torch.stack([frames.mean(1)[0] for frames in hidden]).numpy())
        return found

    @torch.inference_mode()
    def run_padded(self, width: int | None) -> list[np.ndarray]:
        """Batches in the order of the files, padded to a width or to their longest clip."""
        found = []
        for first in range(0, len(self.paths), BATCH):
            clips = [Preparation().read(path, RATE)[:width] for path in self.paths[first : first + BATCH]]
            batch = torch.zeros(len(clips), width or max(map(len, clips)))
            for row, clip in zip(batch, clips, strict=True):
                row[: len(clip)] = torch.from_numpy(clip)
            hidden, lengths = self.network(batch, torch.tensor([width or len(clip) for clip in clips]))
            for index, length in enumerate(lengths.tolist()):
                found.append(torch.stack([frames[index, :length].mean(0) for frames in hidden]).numpy())
        return found

    @torch.inference_mode()
    def run_network_alone(self) -> None:
        """As much sound as the corpus has, in batches of equal lengths."""
        noise = torch.randn(max(size * length for size, length in self.equal)) / 10
        for size, length in self.equal:
            self.network(noise[: size * length].view(size, length), torch.full((size,), length))

    @torch.inference_mode()
    def run_transformers(self, paths: Sequence[str]) -> list[np.ndarray]:
        """Whisper's encoder behind its feature extractor."""
        from transformers import WhisperFeatureExtractor

        extractor, encoder = WhisperFeatureExtractor(), self.network.encoder
        found = []
        for path in paths:
            clip = Preparation().read(path, RATE)
            inputs = extractor(clip, sampling_rate=RATE, return_tensors="pt").input_features
            hidden = encoder(inputs, output_hidden_states=True).hidden_states
            found.append(torch.stack([frames[0, : -(-len(clip) // 320)].mean(0) for frames in hidden]).numpy())
        return found


def measure(sides: dict[str, tuple[Callable[[], Any], int]], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Clips a CPU second and a second of each side, in turn, after one run that does not count."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, (run, clips) in sides.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            if repeat:
                rates[name].append((clips / (time.process_time() - cpu), clips / (time.perf_counter() - wall)))
    return rates


def describe_corpus(sides: Sides) -> str:
    """Clips and their lengths."""
    seconds = sides.samples / RATE
    spread = f"{seconds.min():.1f} to {seconds.max():.1f} s, mean {seconds.mean():.1f} s"
    return f"{len(seconds)} clips of {spread}; {type(sides.network).__name__}"


def report(rates: dict[str, list[tuple[float, float]]]) -> None:
    """Print the table; ratios are medians of the repeats' own, in which all sides met the same load."""
    rows = []
    for name, found in rates.items():
        cpu, wall = ([rate[place] for rate in found] for place in (0, 1))
        ratios = [ours[0] / rate[0] for ours, rate in zip(rates[OURS], found, strict=True)]
        spread = f"{statistics.median(cpu):.1f} ({min(cpu):.1f}-{max(cpu):.1f})"
        rows.append([name, spread, f"{statistics.median(wall):.1f}", f"{statistics.median(ratios):.2f}"])
    print_table(["side", "clips a CPU s", "clips a s", "ser is faster by"], rows)


if __name__ == "__main__":
    sys.exit(main())
