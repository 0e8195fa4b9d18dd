"""A corpus ready for an experiment: its manifest, and every file read once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ser.audio.inspect import drop_bad_clips, fingerprint, inspect_clips
from ser.audio.prepare import Preparation
from ser.dataset.manifest import Manifest
from ser.errors import InputError

log = logging.getLogger(__name__)


class Dataset(Protocol):
    """A choice of ``conf/dataset``."""

    def load(self) -> Manifest:
        """The manifest, validated."""


@dataclass(frozen=True)
class Corpus:
    """Usable clips.

    Attributes:
        manifest: without the clips that were skipped.
        digests: content hash of each clip's prepared waveform [N].
        samples: length of each prepared waveform [N].
        rate: in Hz.
        fingerprint: one hash over contents and labels.
        skipped: number of unusable clips left out.
    """

    manifest: Manifest
    digests: np.ndarray
    samples: np.ndarray
    rate: int
    fingerprint: str
    skipped: int

    def describe(self) -> dict[str, object]:
        """What a report says of the corpus."""
        frame = self.manifest.frame
        return {
            "name": self.manifest.name,
            "clips": len(frame),
            "speakers": len(self.manifest.speakers),
            "emotions": frame["emotion"].value_counts().sort_index().to_dict(),
            "gender": frame.drop_duplicates("speaker")["gender"].fillna("unknown").value_counts().to_dict(),
            "hours": round(float(self.samples.sum()) / self.rate / 3600, 4),
            "skipped": self.skipped,
            "fingerprint": self.fingerprint,
        }


def read_corpus(
    dataset: Dataset, preparation: Preparation, rate: int, on_bad_audio: str, min_speaker_share: float = 0.0
) -> Corpus:
    """Load the manifest and read every file once.

    Args:
        dataset: which corpus.
        preparation: how files become waveforms.
        rate: the consumer's rate in Hz.
        on_bad_audio: ``fail`` or ``skip``.
        min_speaker_share: leave out emotions that fewer than this share of the speakers show.

    Raises:
        InputError: a corpus that is not there, one emotion only, or (under ``fail``) files that cannot be used.
    """
    if on_bad_audio not in ("fail", "skip"):
        raise InputError(f"on_bad_audio={on_bad_audio}", expected="fail or skip")
    manifest = drop_rare_emotions(dataset.load(), min_speaker_share)
    check_emotions(manifest)
    found = len(manifest)
    clips = inspect_clips(manifest.frame, preparation, rate)
    manifest, clips = drop_bad_clips(manifest, clips, on_bad_audio)
    check_emotions(manifest)
    for note in manifest.notes:
        log.warning(note)
    digests = clips["digest"].to_numpy(dtype=str)
    samples = clips["samples"].to_numpy()
    return Corpus(manifest, digests, samples, rate, fingerprint(manifest.frame, digests), found - len(manifest))


def drop_rare_emotions(manifest: Manifest, min_speaker_share: float) -> Manifest:
    """Leave out emotions shown by fewer than a share of the speakers, and say which."""
    speakers = (manifest.counts() > 0).mean()
    rare = sorted(speakers.index[speakers < min_speaker_share])
    if not rare:
        return manifest
    clips = manifest.frame.loc[manifest.frame["emotion"].isin(rare), "clip"]
    note = f"left out {', '.join(rare)}: fewer than {min_speaker_share:.0%} of the speakers of {manifest.name} show it"
    return manifest.drop(clips, note)


def check_emotions(manifest: Manifest) -> None:
    """Raise InputError unless there are at least two emotions to tell apart."""
    if len(manifest.emotions) < 2:
        raise InputError(
            f"dataset {manifest.name} has one emotion only: {manifest.emotions[0]}",
            expected="at least two emotions to tell apart",
            remedy="choose more with dataset.emotions=[…], or check dataset.columns.emotion",
        )
