"""Transcribed speech for ``ser pretune``: clips of some speakers with their texts, and who validates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.duration import Chunk, Fixed
from ser.audio.inspect import drop_bad_clips, fingerprint, inspect_clips
from ser.audio.prepare import Preparation
from ser.corpus import add_findings, make_dataset, name_after
from ser.dataset.manifest import Manifest
from ser.dataset.texts import replace_texts
from ser.errors import InputError, LeakError
from ser.head.data import Part
from ser.language.texts import normalise
from ser.split.base import Splitter, check_share, check_whole
from ser.split.deal import Dealer
from ser.split.fixed import match_speakers
from ser.split.fold import shorten, sort_names


@dataclass(frozen=True)
class Transcripts:
    """Clips that train and clips that validate.

    Attributes:
        frame: manifest rows with ``text`` normalised, ``part`` (train, validation), ``dataset``, ``digest`` and
            ``samples``.
        preparation: how files become waveforms.
        fingerprint: one hash over contents, texts and parts.
        notes: what a reader of the result must know.
    """

    frame: pd.DataFrame
    preparation: Preparation
    fingerprint: str
    notes: tuple[str, ...]

    def take(self, part: str) -> Part:
        """The clips of one part; validation may have none."""
        rows = self.frame[self.frame["part"] == part]
        return Part(rows.reset_index(drop=True), rows["samples"].to_numpy(), None, self.preparation)

    @property
    def known(self) -> pd.Series:
        """Whether each validating clip's text is one of the training texts."""
        validation = self.frame["part"] == "validation"
        return self.frame.loc[validation, "text"].isin(self.frame.loc[~validation, "text"])


def read_transcripts(config: DictConfig, preparation: Preparation, rate: int, validates: bool) -> Transcripts:
    """Load the corpora, choose speakers, divide them, read the files that are used.

    Args:
        config: of the stage.
        preparation: how files become waveforms.
        rate: the backbone's, in Hz.
        validates: whether some of the speakers choose the epoch.

    Raises:
        InputError: no transcripts, unknown speakers, nobody left to train or to validate, unusable files.
    """
    if isinstance(preparation.duration, Chunk | Fixed):
        raise InputError(
            f"audio.duration={type(preparation.duration).__name__}: a text belongs to its whole clip",
            expected="audio/duration=none, or audio/duration=range to leave long clips out",
        )
    manifest = load_manifests(config)
    parts = (
        choose_by_split(config, manifest, validates)
        if config.get("split")
        else choose_by_name(config, manifest, validates)
    )
    manifest = Manifest(manifest.name, manifest.frame.assign(part=parts)[parts != ""], manifest.notes)
    clips = inspect_clips(manifest.frame, preparation, rate)
    manifest, clips = drop_bad_clips(manifest, clips, config.on_bad_audio)
    frame = add_findings(manifest.frame, clips)
    for part in ("train", "validation")[: 1 + validates]:
        if part not in set(frame["part"]):
            raise InputError(f"no usable clip with a text is left for {part}", remedy="name other speakers")
    found = Transcripts(frame, preparation, fingerprint(frame, frame["digest"]), manifest.notes)
    return replace(found, notes=(*found.notes, *note_known_texts(found)))


def load_manifests(config: DictConfig) -> Manifest:
    """The clips with a text of the corpus of ``dataset``, or of those of ``data.train``."""
    corpora: Mapping[str, Any] = config.data.get("corpora") or {}
    if not corpora:
        return read_manifest(config, config.dataset)
    manifests = {name: read_manifest(config, settings) for name, settings in corpora.items()}
    frames = [name_after(name, manifest.frame) for name, manifest in manifests.items()]
    notes = tuple(note for manifest in manifests.values() for note in manifest.notes)
    return Manifest("+".join(manifests), pd.concat(frames, ignore_index=True), notes)


def read_manifest(config: DictConfig, settings: Mapping[str, Any]) -> Manifest:
    """One corpus with its texts normalised, without clips that have none."""
    manifest = replace_texts(make_dataset(settings).load(), config.dataset.get("texts"))
    manifest = manifest.with_emotions(config.dataset.emotions)
    frame = manifest.frame.assign(
        text=[normalise(text) if isinstance(text, str) else "" for text in manifest.frame["text"]],
        dataset=manifest.name,
    )
    silent = frame["text"] == ""
    if silent.all():
        raise InputError(
            f"dataset {manifest.name}: none of its {len(frame)} clips has a transcript",
            expected="a corpus with texts (emovo, cremad, ravdess, …), or a table with a column text",
            remedy="dataset=csv dataset.path=… dataset.columns.text=<your column>",
        )
    whole = Manifest(manifest.name, frame, manifest.notes)
    if not silent.any():
        return whole
    return whole.drop(
        frame.loc[silent, "clip"], f"{manifest.name}: {silent.sum()} clips without a transcript are left out"
    )


def choose_by_split(config: DictConfig, manifest: Manifest, validates: bool) -> np.ndarray:
    """Part of each clip by the only fold of a split; its test part is left out, that is what it is for."""
    if config.speakers or config.validation_speakers:
        raise InputError("speakers are named and a split is chosen", expected="one of the two")
    splitter: Splitter = instantiate(config.split)
    folds = splitter.split(manifest, validates, emotions=False).folds
    if len(folds) > 1:
        raise InputError(
            f"split={config.choices.split}: {len(folds)} folds, whose training parts together are everyone",
            expected="a split with one fold",
            remedy="choose one with split.fold=0, or name speakers=[…]",
        )
    parts = np.full(len(manifest), "", dtype=object)
    parts[folds[0].train], parts[folds[0].validation] = "train", "validation"
    return parts


def choose_by_name(config: DictConfig, manifest: Manifest, validates: bool) -> np.ndarray:
    """Part of each clip by ``speakers`` and ``validation_speakers``; nothing for speakers that are not used."""
    frame = manifest.frame
    chosen = match_speakers(config.speakers, manifest.speakers, "speakers") or manifest.speakers
    named = match_speakers(config.validation_speakers, manifest.speakers, "validation_speakers")
    if not validates and named:
        raise InputError("validation_speakers are named, but trainer.early_stopping=null: nothing is chosen by them")
    outside = [speaker for speaker in named if speaker not in chosen]
    if config.speakers and outside:
        raise LeakError(
            f"validation_speakers: {shorten(outside)} are not among speakers",
            expected="some of speakers, which names everyone whom the language model hears",
            remedy="add them to speakers",
        )
    parts = np.where(frame["speaker"].isin(chosen), "train", "").astype(object)
    if not validates:
        return parts
    if not named:
        check_share("validation_share", config.validation_share)
        check_whole("validation_seed", config.validation_seed, 0)
        if len(chosen) > 1:
            share, rows = config.validation_share, np.flatnonzero(parts == "train")
            dealer = Dealer(frame, frame["speaker"], [])
            parts[dealer.deal(rows, [1 - share, share], config.validation_seed)[1]] = "validation"
    else:
        parts[frame["speaker"].isin(named)] = "validation"
    if len({"train", "validation"} - set(parts)):
        raise InputError(
            f"speakers: of {shorten(sort_names(chosen))} nobody is left to train, or to validate",
            expected="two speakers at least, since validation hears other speakers than training",
            remedy="name more speakers; or trainer.early_stopping=null: all train, and no error rate is measured",
        )
    return parts


def note_known_texts(transcripts: Transcripts) -> list[str]:
    """Say so where validation speakers read what training speakers read."""
    known = transcripts.known
    if not known.any():
        return []
    count = transcripts.frame["text"].nunique()
    return [
        f"{known.sum()} of {len(known)} validating clips have the text of a training clip ({count} different texts in "
        "all): their error rate says how well known sentences are told apart, not how well speech is recognised"
    ]
