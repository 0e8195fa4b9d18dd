"""Character recognition with CTC (Graves et al., ICML 2006) on top of a backbone's last hidden state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ser.errors import InputError
from ser.head.data import Part
from ser.head.emotion_network import EmotionNetwork
from ser.language.texts import Vocabulary
from ser.training.batches import Batch, BatchOrder, Clips, collate
from ser.training.module import EmotionModule, mean_loss
from ser.training.processes import ALONE, Place

#: Fills the places behind a text in a batch of them.
NOTHING = -1


class Recogniser(EmotionNetwork):
    """Waveforms to one row of logits a frame; the last hidden state is what transformers' own networks for CTC read.

    Args:
        backbone: a :class:`ser.backbone.base.FrameNetwork`.
        tokens: size of the vocabulary.
    """

    def __init__(self, backbone: Any, tokens: int) -> None:
        super().__init__(backbone, nn.Identity(), (), nn.Linear(backbone.dim, tokens))

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Waveforms [B, T] with lengths [B] in samples to logits [B, F, V] with lengths [B] in frames."""
        assert self.backbone is not None
        hidden, frames = self.backbone(inputs, lengths)
        return self.layers(hidden[-1]), frames


class CTC(nn.Module):
    """The loss of a batch: the mean over clips of the loss a character.

    It is computed on the CPU, where it is the same in every run; the CUDA version has no deterministic gradient. A clip
    with more characters than frames has no path and cannot train: it is left out, in training counted in ``left_out``.

    The blank is token 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out = 0

    def forward(self, outputs: tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        """Logits [B, F, V] with lengths [B] in frames, and texts [B, S] filled up with ``NOTHING``, to a number."""
        logits, frames = outputs
        texts, inside = targets.cpu(), targets.cpu() != NOTHING
        sizes, frames = inside.sum(1), frames.cpu()
        repeated = ((texts[:, 1:] == texts[:, :-1]) & inside[:, 1:]).sum(1)
        fits = (frames >= sizes + repeated) & (sizes > 0)
        if self.training:
            self.left_out += int((~fits).sum())
        paths = logits.float().log_softmax(-1).transpose(0, 1).cpu()
        each = nn.functional.ctc_loss(paths, texts.clamp(min=0), frames, sizes, 0, "none", zero_infinity=True)
        losses = torch.where(fits, each / sizes.clamp(min=1), 0.0)
        return (losses.sum() / fits.sum().clamp(min=1)).to(logits.device)


class RecognitionModule(EmotionModule):
    """Training and validation of a recogniser.

    Args:
        texts: normalised transcripts by clip.
        vocabulary: from numbers to characters.
        others: those of :class:`EmotionModule`.
    """

    network: Recogniser
    loss: CTC

    def __init__(self, texts: Mapping[str, str], vocabulary: Vocabulary, *others: Any) -> None:
        super().__init__(*others)
        self.texts = texts
        self.vocabulary = vocabulary
        #: What the last validation read, by clip.
        self.read: dict[str, str] = {}

    def on_train_epoch_start(self) -> None:
        """Count anew."""
        super().on_train_epoch_start()
        self.loss.left_out = 0

    def summarise_epoch(self) -> dict[str, float]:
        """With the number of clips whose texts are longer than their frames."""
        return {**super().summarise_epoch(), "train/left_out": float(sum(self.place.gather([self.loss.left_out])))}

    def on_train_epoch_end(self) -> None:
        """Refuse to go on where no clip could train."""
        if self.loss.left_out == sum(size for _, size in self._losses["train"]):
            raise InputError(
                "every training text has more characters than its clip has frames",
                expected="transcripts of what is said in the clips; a backbone with enough frames a second",
                remedy="check the text and the limits (start, end) of the clips",
            )

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch."""
        super().on_validation_epoch_start()
        self.read = {}

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect the loss and what is read."""
        logits, frames = self.network(batch.inputs, batch.lengths)
        self._losses["val"].append((self.loss((logits, frames), batch.targets).item(), len(batch.targets)))
        self.read |= zip(batch.clips, read_greedily(logits, frames, self.vocabulary), strict=True)

    def on_validation_epoch_end(self) -> None:
        """Loss and error rates of the validation part as a whole."""
        self.read = dict(self.place.gather(list(self.read.items())))
        pairs = [(self.texts[clip], read) for clip, read in self.read.items()]
        scores = {"val/loss": mean_loss(self.place.gather(self._losses["val"]))}
        scores |= {f"val/{name}": rate for name, rate in measure_errors(pairs).items()}
        self.log_dict(scores)
        self._scores = scores


def read_greedily(logits: Tensor, frames: Tensor, vocabulary: Vocabulary) -> list[str]:
    """The texts of the best paths through logits [B, F, V] with lengths [B] in frames."""
    best = logits.argmax(-1).cpu().tolist()
    return [vocabulary.decode(path[:length]) for path, length in zip(best, frames.tolist(), strict=True)]


def measure_errors(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Character and word error rate (insertions, deletions and substitutions over the length) of (text, read) pairs.

    Over all clips together, so that long texts count for more; above 1 where more is read than was said.
    """
    from jiwer import process_characters, process_words

    said, read = (list(column) for column in zip(*pairs, strict=True))
    return {"cer": process_characters(said, read).cer, "wer": process_words(said, read).wer}


class TranscribedClips(Clips):
    """Clips with texts as targets.

    Args:
        part: the clips.
        texts: as numbers, one a clip.
        rate: in Hz at which they are read.
    """

    def __init__(self, part: Part, texts: Sequence[Sequence[int]], rate: int) -> None:
        super().__init__(part, (), rate)
        self.targets = np.full((len(texts), max(map(len, texts))), NOTHING)
        for row, text in zip(self.targets, texts, strict=True):
            row[: len(text)] = text


def make_loader(
    clips: TranscribedClips, batch_size: int, seed: int | None = None, workers: int = 0, place: Place = ALONE
) -> DataLoader:
    """Batches in a seeded order for training, by length without a seed."""
    return DataLoader(
        clips,
        batch_sampler=BatchOrder(clips.part.samples, batch_size, seed, place),
        collate_fn=collate,
        generator=torch.Generator(),  # or starting an epoch would draw from the generator that dropout draws from
        num_workers=workers,
        persistent_workers=workers > 0,
    )
