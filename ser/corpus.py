"""Corpora ready for an experiment: what they are asked to tell apart, and every file read once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.inspect import drop_bad_clips, fingerprint, inspect_clips
from ser.audio.prepare import Preparation
from ser.config import SHARED
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.dataset.target import choose_target, merge_emotions
from ser.errors import InputError

log = logging.getLogger(__name__)


class Dataset(Protocol):
    """A choice of ``conf/dataset``; one with published facts has them as ``info``."""

    def load(self) -> Manifest:
        """The manifest, validated."""


@dataclass(frozen=True)
class Corpus:
    """Usable clips of one corpus, or of several put together.

    Attributes:
        manifest: without the clips that were skipped; its frame has also ``dataset``, ``digest`` (content hash of the
            prepared waveform) and ``samples`` (its length).
        rate: of the prepared waveforms, in Hz.
        fingerprint: one hash over contents and labels.
        skipped: number of unusable clips left out.
        info: published facts by corpus.
        train: corpora that train; empty where one corpus is both.
        test: corpora that are tested.
    """

    manifest: Manifest
    rate: int
    fingerprint: str
    skipped: int
    info: Mapping[str, CorpusInfo] = field(default_factory=dict)
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def describe(self) -> dict[str, object]:
        """What a report says of it."""
        frame = self.manifest.frame
        published = self.info.values()
        return {
            "name": self.manifest.name,
            "clips": len(frame),
            "speakers": len(self.manifest.speakers),
            "emotions": frame["emotion"].value_counts().sort_index().to_dict(),
            "gender": frame.drop_duplicates("speaker")["gender"].fillna("unknown").value_counts().to_dict(),
            "hours": round(float(frame["samples"].sum()) / self.rate / 3600, 4),
            "skipped": self.skipped,
            "fingerprint": self.fingerprint,
            "licence": "; ".join(f"{info.title}: {info.licence}" for info in published),
            "citation": "; ".join(info.citation for info in published),
            "human_uar": {name: info.human_uar for name, info in self.info.items() if info.human_uar is not None},
        }


@dataclass(frozen=True)
class Selection:
    """What of a corpus is used, and as what.

    Attributes:
        emotions: harmonised names to keep; ``None`` keeps all.
        merge: emotions that count as others.
        target: ``emotion``, or ``one_vs_rest:<emotion>``.
        min_speaker_share: leave out emotions that fewer than this share of the speakers show.
        on_bad_audio: ``fail`` or ``skip``.
    """

    emotions: Sequence[str] | None = None
    merge: Mapping[str, str] = field(default_factory=dict)
    target: str = "emotion"
    min_speaker_share: float = 0.0
    on_bad_audio: str = "fail"

    def __post_init__(self) -> None:
        if self.on_bad_audio not in ("fail", "skip"):
            raise InputError(f"on_bad_audio={self.on_bad_audio}", expected="fail or skip")


def read_corpora(config: DictConfig, preparation: Preparation, rate: int) -> Corpus:
    """The corpus of ``dataset``, or those of ``data``, put together.

    Raises:
        InputError: a corpus that is not there, one emotion only, or (under ``on_bad_audio=fail``) unusable files.
    """
    shared = {key: config.dataset[key] for key in SHARED}
    selection = Selection(**shared, min_speaker_share=config.min_speaker_share, on_bad_audio=config.on_bad_audio)
    if not config.data.get("corpora"):
        return read_corpus(make_dataset(config.dataset), preparation, rate, selection)
    read = {
        name: read_corpus(make_dataset(own), preparation, rate, selection) for name, own in config.data.corpora.items()
    }
    return join_corpora(read, tuple(config.data.train), tuple(config.data.test))


def read_corpus(
    dataset: Dataset, preparation: Preparation, rate: int, selection: Selection = Selection()  # noqa: B008 - frozen
) -> Corpus:
    """Load one manifest, choose what to tell apart, and read every file once.

    Raises:
        InputError: a corpus that is not there, one emotion only, or (under ``fail``) files that cannot be used.
    """
    manifest = merge_emotions(dataset.load(), selection.merge).with_emotions(selection.emotions)
    manifest = choose_target(drop_rare_emotions(manifest, selection.min_speaker_share), selection.target)
    check_emotions(manifest)
    found = len(manifest)
    clips = inspect_clips(manifest.frame, preparation, rate)
    manifest, clips = drop_bad_clips(manifest, clips, selection.on_bad_audio)
    check_emotions(manifest)
    for note in manifest.notes:
        log.warning(note)
    # The manifest keeps its order, so what was found stands beside the clip it was found in.
    frame = manifest.frame.assign(
        dataset=manifest.name, digest=clips["digest"].to_numpy(dtype=str), samples=clips["samples"].to_numpy()
    )
    manifest = Manifest(manifest.name, frame, manifest.notes)
    info = {manifest.name: dataset.info} if hasattr(dataset, "info") else {}
    return Corpus(manifest, rate, fingerprint(frame, frame["digest"]), found - len(manifest), info)


def make_dataset(settings: Mapping[str, Any]) -> Dataset:
    """The object that a choice of ``conf/dataset`` names, without the keys that are not its own."""
    return instantiate({key: value for key, value in settings.items() if key not in SHARED})


def join_corpora(corpora: Mapping[str, Corpus], train: tuple[str, ...], test: tuple[str, ...]) -> Corpus:
    """Several corpora as one: ids carry the corpus's name, emotions are those that all have.

    Args:
        corpora: by the name of their choice.
        train: names of those that train.
        test: names of those that are tested.
    """
    common = set.intersection(*(set(corpus.manifest.emotions) for corpus in corpora.values()))
    if len(common) < 2:
        listing = "; ".join(f"{name}: {', '.join(corpus.manifest.emotions)}" for name, corpus in corpora.items())
        raise InputError(
            f"data: the corpora have {len(common) or 'no'} emotion{'s' if len(common) != 1 else ''} in common",
            expected=f"at least two; {listing}",
            remedy="choose other corpora, or map emotions with dataset.merge",
        )
    frames, notes = [], []
    for name, corpus in corpora.items():
        frame = corpus.manifest.frame
        dropped = frame[~frame["emotion"].isin(common)]["emotion"].value_counts().sort_index()
        if len(dropped):
            listing = ", ".join(f"{emotion} {count}" for emotion, count in dropped.items())
            notes.append(f"{name}: clips of emotions that not all corpora have were left out: {listing}")
        frame = frame[frame["emotion"].isin(common)].assign(dataset=name)
        for column in ("clip", "speaker", "sentence", "session"):
            frame[column] = (name + "/" + frame[column]).where(frame[column].notna(), None)
        frames.append(frame)
        notes += corpus.manifest.notes
    for note in notes[: len(notes) - sum(len(corpus.manifest.notes) for corpus in corpora.values())]:
        log.warning(note)
    whole = Manifest("+".join(corpora), pd.concat(frames, ignore_index=True), tuple(notes))
    return Corpus(
        manifest=whole,
        rate=next(iter(corpora.values())).rate,
        fingerprint=fingerprint(whole.frame, whole.frame["digest"]),
        skipped=sum(corpus.skipped for corpus in corpora.values()),
        info={name: info for corpus in corpora.values() for name, info in corpus.info.items()},
        train=train,
        test=test,
    )


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
