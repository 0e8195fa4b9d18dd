"""Cost of explanations: occlusion and segments beside the loops a user would write with captum, and every explainer.

All sides explain the same clips by the same network in one process, in turn. By default the network has random weights
and the clips are noise in bursts: neither changes what an explanation costs, but both change how many masks it needs,
so that errors are best read with ``--run``, on a fitted network and the clips that it was tested on. The loops call
captum clip by clip, with one changed clip a call of the network, as its defaults are (``perturbations_per_eval=1``).

Where both sides compute the same (leave one out, occlusion), their maps are compared; where both sample (KernelSHAP,
LIME), the correlation between them is shown, which falls with the error of either. On waveforms they differ a little:
ours fade over 5 ms at the edges of what is removed. ``one bank, five estimators`` reads
leave one out, KernelSHAP, LIME, RISE and Banzhaf values off the same answers; captum, which has no RISE nor Banzhaf
values, is charged for the three that it has.

KernelSHAP's *error* is the root mean square difference from values with many more masks, as a share of those values'
standard deviation. It falls with the root of the number of masks, so that the CPU seconds that either side needs for
the same error are in the ratio of their CPU seconds times that of their squared errors.

Then every choice of ``conf/explainer`` explains the clips as a user would get them, or says why it cannot.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from timing import describe_machine, print_table
from torch import Tensor

from ser.backbone.spectrogram import SpectrogramNetwork
from ser.config import compose
from ser.errors import InputError
from ser.explainer.base import Explainer, margin
from ser.explainer.cells import make_cells
from ser.explainer.fill import Filler
from ser.explainer.hear import hear_clips
from ser.explainer.occlusion import Occlusion
from ser.explainer.segments.estimators import Banzhaf, KernelShap, LeaveOneOut, Lime, Rise
from ser.explainer.segments.explain import Segments
from ser.explainer.segments.units import FixedLength
from ser.explainer.subject import Subject
from ser.explainer.subject import make_subject as make_fitted
from ser.finetune.full import Full
from ser.finished import FinishedRun
from ser.head.emotion_network import Shape
from ser.head.end_to_end import EndToEnd, FromSpectrogram, FromWaveform
from ser.head.network import NetworkHead
from ser.head.trunk import Trunk
from ser.paths import find_shipped

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
#: What every side fills with: the clip's mean spectrum on spectrograms, zeros in waveforms, for captum can do no more.
SEGMENT, WINDOW, STRIDE = 0.1, 0.1, 0.05
SEED = 0
#: On the last weights, so that margins are as large as those of a fitted network.
GAIN = 30.0
#: Masks of the values that both sides' KernelSHAP is judged against.
REFERENCE = 4096


def main() -> int:
    """Measure and print; returns an exit code."""
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    if options.run:
        subject, clips = open_run(options.run, options.clips, options.seconds)
    else:
        subject = make_subject(options.backbone)
        clips = make_clips(subject, options.clips, options.seconds)
    print(
        f"{options.run or options.backbone}, {len(clips.inputs)} clips of {options.seconds} s, "
        f"{options.threads} threads, {options.masks} masks; {describe_machine(options.repeats)}\n"
    )
    compare(subject, clips, options.masks, options.repeats)
    print()
    compare_errors(subject, clips, options.masks)
    if not options.ratios_only:
        print()
        list_costs(subject, clips, options.repeats)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--backbone", default="mel_cnn_small", help="a choice of conf/backbone without weights (default: %(default)s)"
    )
    parser.add_argument("--run", default="", help="a finished run of ser train whose network and clips are taken")
    parser.add_argument("--clips", type=int, default=4, help="clips to explain (default: 4)")
    parser.add_argument("--seconds", type=float, default=2.5, help="length of each (default: 2.5)")
    parser.add_argument("--masks", type=int, default=256, help="of methods that sample (default: 256)")
    parser.add_argument("--threads", type=int, default=1, help="of each side (default: 1)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each side (default: 3)")
    parser.add_argument("--ratios-only", action="store_true", help="leave out the cost of each explainer")
    return parser.parse_args()


def make_subject(choice: str) -> Subject:
    """A network with random weights."""
    torch.manual_seed(SEED)
    trunk = Trunk(instantiate(compose([f"backbone={choice}"]).backbone), Full())
    shape = Shape("audio", ())
    top = NetworkHead().build(len(EMOTIONS), shape, trunk)
    assert top.backbone is not None
    with torch.no_grad():
        top.layers[-1].weight *= GAIN
    whole = EndToEnd(top.backbone, top, trunk.reading, shape, EMOTIONS, ()).eval()
    spectral = isinstance(top.backbone, SpectrogramNetwork)
    network = FromSpectrogram(whole) if spectral else FromWaveform(whole)
    return Subject(EMOTIONS, trunk.backbone.rate, network, trunk=top.backbone)


@dataclass(frozen=True)
class Clips:
    """Inputs of equal length, and the classes that the network names."""

    inputs: Tensor
    classes: Tensor


def open_run(run: str, count: int, seconds: float) -> tuple[Subject, Clips]:
    """A fitted network, and the first seconds of clips that it was tested on."""
    finished = FinishedRun.open(run, compose(stage="explain"))
    fold = next(iter(finished.folds))
    subject = make_fitted(finished.load_model(fold))
    rows = finished.tested[finished.tested["fold"] == fold].groupby("true").head(count)
    heard = [
        clip.waveform for clip in hear_clips(finished, subject, rows.sample(frac=1, random_state=SEED), "predicted")
    ]
    length = round(seconds * subject.rate)
    long = [waveform[:length] for waveform in heard if len(waveform) >= length][:count]
    inputs = subject.encode(torch.from_numpy(np.stack(long)))
    return subject, Clips(inputs, subject.score(inputs).argmax(1))


def make_clips(subject: Subject, count: int, seconds: float) -> Clips:
    """Noise in bursts of four a second."""
    random = np.random.default_rng(SEED)
    length = round(seconds * subject.rate)
    bursts = 0.02 + np.abs(np.sin(np.pi * 4 * np.arange(length) / subject.rate))
    waveforms = 0.1 * bursts * random.normal(size=(count, length))
    inputs = subject.encode(torch.from_numpy(waveforms.astype(np.float32)))
    return Clips(inputs, subject.score(inputs).argmax(1))


@dataclass(frozen=True)
class Side:
    """One way to explain all clips: ours, captum's, and the name of what both do."""

    name: str
    ours: Callable[[], Tensor]
    captum: Callable[[], Tensor]


def compare(subject: Subject, clips: Clips, masks: int, repeats: int) -> None:
    """Print both sides of each method, their ratio, and how far they agree."""
    rows = []
    for side in list_sides(subject, clips, masks):
        ours, theirs = measure_both(side, repeats)
        rows.append(
            [
                side.name,
                *(f"{cost.cpu / len(clips.inputs):.2f}" for cost in (ours, theirs)),
                f"{theirs.cpu / ours.cpu:.1f}",
                f"{theirs.wall / ours.wall:.1f}",
                describe_agreement(ours.found, theirs.found),
            ]
        )
    print_table(
        ["explanation", "ser, CPU s a clip", "captum, CPU s a clip", "ratio of CPU s", "of wall s", "agreement"], rows
    )


def compare_errors(subject: Subject, clips: Clips, masks: int) -> None:
    """Print by how much KernelSHAP of either side misses values from many masks."""
    reference = Ours(subject, clips, REFERENCE).explain(KernelShap())
    rows = []
    for count in (masks // 2, masks, 2 * masks):
        ours, captum = Ours(subject, clips, count), Captum(subject, clips, count)
        found = [clock(lambda one=ours: one.explain(KernelShap())), clock(captum.kernel_shap)]
        miss = [float((one.found - reference).square().mean().sqrt() / reference.std()) for one in found]
        equal = found[1].cpu / found[0].cpu * (miss[1] / miss[0]) ** 2
        rows.append([str(count), *(f"{one:.3f}" for one in miss), f"{equal:.1f}"])
    print_table(["KernelSHAP, masks", "error, ser", "error, captum", "ratio of CPU s at equal error"], rows)


@dataclass(frozen=True)
class Timed:
    """Seconds of one run, and what it found."""

    cpu: float
    wall: float
    found: Tensor


def measure_both(side: Side, repeats: int) -> tuple[Timed, Timed]:
    """Both sides in turn, after one run that does not count; medians."""
    runs: tuple[list[Timed], list[Timed]] = ([], [])
    for repeat in range(repeats + 1):
        for run, kept in zip((side.ours, side.captum), runs, strict=True):
            timed = clock(run)
            if repeat:
                kept.append(timed)
    ours, theirs = (
        Timed(statistics.median(t.cpu for t in kept), statistics.median(t.wall for t in kept), kept[-1].found)
        for kept in runs
    )
    return ours, theirs


def clock(run: Callable[[], Any]) -> Timed:
    """Run and time; CPU seconds are of all threads of this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = run()
    return Timed(time.process_time() - cpu, time.perf_counter() - wall, found)


def describe_agreement(ours: Tensor, theirs: Tensor) -> str:
    """Largest difference as a share of the largest value, or the correlation where both have sampled."""
    if ours.shape != theirs.shape:
        return ""
    miss = float((ours - theirs).abs().max() / theirs.abs().max())
    if miss < 0.01:
        return f"equal to {miss:.0e}"
    return f"r = {np.corrcoef(ours.flatten().numpy(), theirs.flatten().numpy())[0, 1]:.2f}"


def list_sides(subject: Subject, clips: Clips, masks: int) -> list[Side]:
    """What is compared."""
    captum = Captum(subject, clips, masks)
    ours = Ours(subject, clips, masks)
    return [
        Side("leave one segment out", lambda: ours.explain(LeaveOneOut()), captum.leave_out),
        Side("occlusion over time", ours.occlude, captum.occlude),
        Side("KernelSHAP of segments", lambda: ours.explain(KernelShap()), captum.kernel_shap),
        Side("LIME of segments", lambda: ours.explain(Lime(ridge=0.0)), captum.lime),
        Side("one bank, five estimators", ours.explain_all, captum.run_all),
    ]


class Ours:
    """Explanations by ``ser``; values of segments [B, segments], or maps."""

    def __init__(self, subject: Subject, clips: Clips, masks: int) -> None:
        self.subject, self.clips = subject, clips
        self.fill = choose_fill(subject)
        self.segments = Segments(FixedLength(SEGMENT), KernelShap(), masks, self.fill)

    def explain(self, estimator: Any) -> Tensor:
        """Segments by one estimator."""
        explainer = replace(self.segments, estimator=estimator)
        asked = zip(self.clips.inputs.split(1), self.clips.classes.split(1), strict=True)
        banks = [explainer.ask(self.subject, clip, own) for clip, own in asked]
        return torch.stack([estimator.estimate(bank.keep, bank.margins) for bank in banks])

    def explain_all(self) -> Tensor:
        """Five estimators on the same answers [B, five, segments]."""
        estimators = (LeaveOneOut(), KernelShap(), Lime(), Rise(), Banzhaf())
        asked = zip(self.clips.inputs.split(1), self.clips.classes.split(1), strict=True)
        banks = [self.segments.ask(self.subject, clip, own) for clip, own in asked]
        return torch.stack(
            [torch.stack([one.estimate(bank.keep, bank.margins) for one in estimators]) for bank in banks]
        )

    def occlude(self) -> Tensor:
        """Windows over time; the map as captum scales it."""
        explainer = Occlusion(WINDOW, STRIDE, fill=(self.fill,))
        window, _ = explainer.find_window(self.subject, self.clips.inputs)
        found = explainer.explain(self.subject, self.clips.inputs, self.clips.classes)
        return found.values * np.prod(window)


def choose_fill(subject: Subject) -> str:
    """A fill that does not depend on what is removed with it, as captum knows no other."""
    return "mean_spec" if subject.spectral else "silence"


class Captum:
    """The same by captum, clip by clip."""

    def __init__(self, subject: Subject, clips: Clips, masks: int) -> None:
        self.subject, self.clips, self.masks = subject, clips, masks
        self.cells = make_cells(subject, clips.inputs, SEGMENT, bands=1)

    def ask(self, inputs: Tensor, classes: Tensor) -> Tensor:
        """Margins of one class."""
        with torch.no_grad():
            assert self.subject.network is not None
            return margin(self.subject.network(inputs), classes.expand(len(inputs)))

    def run(self, method: Any, **options: Any) -> Tensor:
        """Clip by clip."""
        maps = []
        for clip, own in zip(self.clips.inputs.split(1), self.clips.classes.split(1), strict=True):
            baselines = self.fill(clip)
            found = method(self.ask).attribute(
                clip, baselines=baselines, additional_forward_args=(own,), perturbations_per_eval=1, **options
            )
            maps.append(found.detach())
        return torch.cat(maps)

    def fill(self, clip: Tensor) -> Tensor:
        """What stands for what is removed."""
        nothing = torch.zeros_like(clip, dtype=torch.bool)
        return Filler(self.subject, clip, choose_fill(self.subject)).apply(nothing)

    def read_segments(self, maps: Tensor) -> Tensor:
        """A value of each segment, which captum has put on all of its cells."""
        return self.cells.sum(maps) / self.cells.sizes

    def leave_out(self) -> Tensor:
        """Leave one out."""
        from captum.attr import FeatureAblation

        return self.read_segments(self.run(FeatureAblation, feature_mask=self.cells.labels[None])).double()

    def occlude(self) -> Tensor:
        """Windows over time."""
        from captum.attr import Occlusion as Method

        window, strides = Occlusion(WINDOW, STRIDE).find_window(self.subject, self.clips.inputs)
        return self.run(Method, sliding_window_shapes=window, strides=strides)

    def kernel_shap(self) -> Tensor:
        """KernelSHAP."""
        from captum.attr import KernelShap as Method

        return self.sample(Method)

    def lime(self) -> Tensor:
        """LIME with captum's own kernel and regression."""
        from captum.attr import Lime as Method

        return self.sample(Method)

    def sample(self, method: Any) -> Tensor:
        """A method with masks of segments."""
        torch.manual_seed(SEED)
        found = self.run(method, feature_mask=self.cells.labels[None], n_samples=self.masks)
        return self.read_segments(found).double()

    def run_all(self) -> Tensor:
        """The three."""
        return torch.stack([self.leave_out(), self.kernel_shap(), self.lime()], 1)


def list_costs(subject: Subject, clips: Clips, repeats: int) -> None:
    """Print what each choice of ``conf/explainer`` costs."""
    rows = [describe_cost(subject, clips, choice, repeats) for choice in list_choices()]
    print_table(["explainer", "CPU s a clip", "wall s a clip", "forwards", "backwards"], rows)


def list_choices() -> list[str]:
    """Choices of ``conf/explainer``."""
    return sorted(path.stem for path in (find_shipped("conf") / "explainer").glob("*.yaml") if path.stem != "none")


def describe_cost(subject: Subject, clips: Clips, choice: str, repeats: int) -> list[str]:
    """A row of the table."""
    try:
        explainer: Explainer = instantiate(compose([f"explainer={choice}"], stage="explain").explainer)
        if not hasattr(explainer, "check"):
            return [choice, "has no maps over time", "", "", ""]
        explainer.check(subject)
        explainer.explain(subject, clips.inputs[:1], clips.classes[:1])
    except InputError as error:
        return [choice, str(error).splitlines()[0], "", "", ""]
    runs = [clock(lambda: explainer.explain(subject, clips.inputs, clips.classes)) for _ in range(repeats)]
    count = len(clips.inputs)
    cpu, wall = (statistics.median(getattr(run, name) for run in runs) / count for name in ("cpu", "wall"))
    found: Any = runs[-1].found
    return [choice, f"{cpu:.3f}", f"{wall:.3f}", f"{found.forwards / count:.0f}", f"{found.backwards / count:.0f}"]


if __name__ == "__main__":
    sys.exit(main())
