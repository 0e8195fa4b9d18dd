"""A model as one graph of operations, from waveforms to probabilities: ``torch.export``, and ONNX made of that.

The graph takes waveforms of equal length without padding [B, T] at the model's rate, prepared as for training, and
yields what ``ser predict`` says of them: the mean of the probabilities of all folds [B, K], or numbers [B, D]. Each
file is read back and compared with the model itself before it counts as made.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.head.end_to_end import EndToEnd
from ser.head.fused_trunk import FusedTrunk
from ser.prediction.predictor import Predictor

#: File of each format.
FILES = {"torch": "model.pt2", "onnx": "model.onnx"}
#: Packages that make ONNX files and run them.
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
#: s of sound that a graph takes: no network makes a frame of much less, and Whisper reads 30 s at once.
SHORTEST, LONGEST = 0.25, 29.0
#: Clips that a graph takes at once.
MOST = 256
#: Clips and their length in s at which graph and model are compared: of clips in emotional corpora, and the ends. The
#: graph is traced with two clips, so one and more than two are where it could differ.
SHAPES = ((2, 0.25), (5, 0.3), (1, 1.7), (2, 2.8), (3, 3.7), (1, 9.0), (2, 14.0), (1, 29.0))
#: By how much a probability, or a number, may differ.
TOLERANCE = 1e-4

Run = Callable[[np.ndarray], np.ndarray]


class Graph(nn.Module):
    """The models of a predictor as one network.

    Args:
        wholes: the model of each fold, from waveforms to outputs.
        shared: whether their backbone is the same, so that it runs once.
        emotions: of all of them, sorted; none where numbers are predicted.
    """

    def __init__(self, wholes: Sequence[EndToEnd], shared: bool, emotions: Sequence[str]) -> None:
        super().__init__()
        self.wholes = nn.ModuleList(wholes)
        self.shared = shared
        #: Where each model has each emotion; -1: nowhere.
        self.places = [
            [{name: at for at, name in enumerate(one.emotions)}.get(name, -1) for name in emotions] for one in wholes
        ]

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms [B, T] to probabilities [B, K], or numbers [B, D]."""
        lengths = torch.full((waveforms.shape[0],), waveforms.shape[1], device=waveforms.device)
        hidden = self.wholes[0].backbone(waveforms, lengths) if self.shared else None  # type: ignore[operator]
        outputs = [
            self.finish(whole, places, whole(waveforms, lengths) if hidden is None else whole.read(*hidden))  # type: ignore
            for whole, places in zip(self.wholes, self.places, strict=True)
        ]
        return torch.stack(outputs).mean(0)

    def finish(self, whole: nn.Module, places: Sequence[int], outputs: Tensor) -> Tensor:
        """Outputs of one model to what all are averaged in."""
        if whole.dimensions:
            return whole.top.target_scale.decode(outputs)  # type: ignore[union-attr, operator]
        probabilities = outputs.softmax(-1)
        columns = [probabilities[:, at] if at >= 0 else torch.zeros_like(probabilities[:, 0]) for at in places]
        return torch.stack(columns, dim=-1)


def find_places(own: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where names are among a model's own; -1 for those it does not have."""
    return [list(own).index(name) if name in own else -1 for name in names]


def check_formats(predictor: Predictor, formats: Sequence[str]) -> None:
    """Refuse formats that there are not, or that the models cannot be put in.

    Raises:
        InputError: with the reason, or the package to install.
    """
    if unknown := [name for name in formats if name not in FILES]:
        raise InputError(f"export.format={list(formats)}: {unknown[0]}?", expected="some of " + ", ".join(FILES))
    model = predictor.models[0]
    if formats and (isinstance(model.trunk, FusedTrunk) or model.trunk.reads_text or not model.is_network):
        raise InputError(
            f"export.format={list(formats)}: {predictor.name} is not one network from waveform to output",
            expected="a head that is a network (linear, mlp) on a backbone that is one and hears sound",
            remedy="leave out export.format; the folder opens with ser.load and `ser predict` all the same",
        )
    lacking = [name for name in PACKAGES if find_spec(name) is None]
    if "onnx" in formats and lacking:
        raise InputError(f"export.format=onnx: {', '.join(lacking)} not installed", remedy="pip install 'ser[onnx]'")


def write_graphs(predictor: Predictor, formats: Sequence[str], folder: Path) -> dict[str, float]:
    """Write the models in these formats into a folder.

    Returns:
        Format → by how much it differs from the models at most, over :data:`SHAPES`.

    Raises:
        InputError: a network that cannot be put in a format, or a file that says something else than the network.
    """
    graph = make_graph(predictor)
    with explain_failure("torch.export", predictor), quiet():
        program = trace(graph, predictor.rate)
    differences = {}
    for name in formats:
        path = folder / FILES[name]
        with explain_failure(name, predictor), quiet():
            run = write_torch(program, path) if name == "torch" else write_onnx(program, path)
        differences[name] = compare(predictor, run)
        if not differences[name] <= TOLERANCE:
            path.unlink()
            raise InputError(
                f"export.format={name}: it differs from {predictor.name} by {differences[name]:.2g}",
                expected=f"{TOLERANCE:g} at most; the file was removed",
                remedy=f"leave {name} out of export.format",
            )
    return differences


def make_graph(predictor: Predictor) -> Graph:
    """The models as one network on the CPU; a frozen backbone is in it once."""
    first = predictor.models[0]
    shared = not first.trunk.trains
    wholes = [first.network]
    for model in predictor.models[1:]:
        if shared:
            top, shape = model.head.network, model.head.shape  # type: ignore[attr-defined]
            names = model.emotions, model.head.dimensions
            wholes.append(EndToEnd(wholes[0].backbone, top, model.trunk.reading, shape, *names))
        else:
            wholes.append(model.network)
    return Graph(wholes, shared, predictor.emotions).cpu().eval().requires_grad_(False)


def trace(graph: Graph, rate: int) -> torch.export.ExportedProgram:
    """The operations of a network, for up to :data:`MOST` clips of :data:`SHORTEST` to :data:`LONGEST` s."""
    batch = torch.export.Dim("batch", min=1, max=MOST)
    samples = torch.export.Dim("samples", min=round(SHORTEST * rate), max=round(LONGEST * rate))
    return torch.export.export(
        graph,
        (torch.zeros(2, round(1.9 * rate)),),
        dynamic_shapes={"waveforms": {0: batch, 1: samples}},
        strict=False,
        # Whether a length is divisible by something and the like is checked when the graph runs, not proved before.
        prefer_deferred_runtime_asserts_over_guards=True,
    )


def write_torch(program: torch.export.ExportedProgram, path: Path) -> Run:
    """Write a program of torch; returns what the file computes."""
    torch.export.save(program, path)
    loaded = torch.export.load(path).module()

    @torch.inference_mode()
    def run(waveforms: np.ndarray) -> np.ndarray:
        return loaded(torch.from_numpy(waveforms)).numpy()

    return run


def write_onnx(program: torch.export.ExportedProgram, path: Path) -> Run:
    """Write an ONNX file; returns what ONNX Runtime computes with it."""
    from onnxruntime import InferenceSession

    made = torch.onnx.export(program, dynamo=True, verbose=False)
    assert made is not None
    made.save(path)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()

    def run(waveforms: np.ndarray) -> np.ndarray:
        return session.run(None, {entry.name: waveforms})[0]

    return run


def compare(predictor: Predictor, run: Run) -> float:
    """By how much a graph differs from the models at most; of numbers above 1, as a share of them."""
    worst, draw = 0.0, np.random.default_rng(0)
    for count, seconds in SHAPES:
        # Noise whose loudness changes, about as loud as speech; several clips must not mix.
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(round(seconds * predictor.rate)) / predictor.rate)
        clips = (0.05 * swell * draw.standard_normal((count, len(swell)))).astype(np.float32)
        expected = predictor.ask(list(clips))
        worst = max(worst, float((np.abs(run(clips) - expected) / np.maximum(1, np.abs(expected))).max()))
    return worst


@contextlib.contextmanager
def explain_failure(what: str, predictor: Predictor) -> Iterator[None]:
    """Say in words that a network cannot be put in a format; the libraries have no one kind of error for it."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise InputError(
            f"export.format: {what} cannot express {predictor.name} ({type(error).__name__}: {reason})",
            remedy="leave that format out; the folder opens with ser.load and `ser predict` all the same",
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out what libraries say of their own workings; what matters is compared."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
