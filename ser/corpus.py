"""Corpora ready for an experiment: what they are asked to tell apart, and every file read once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.duration import Chunk, expand_chunks
from ser.audio.inspect import describe_shortfall, drop_bad_clips, fingerprint, inspect_clips
from ser.audio.prepare import Preparation
from ser.config import SHARED
from ser.dataset.described import describe_clips, find_same_sound
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.dataset.target import choose_target, list_dimensions, merge_emotions
from ser.dataset.texts import replace_texts
from ser.dataset.variant import ORIGINAL, check_use, swap_audio
from ser.debug import Trial
from ser.errors import InputError
from ser.head.data import read_targets

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
            prepared waveform), ``samples`` (its length), and where it lies in its file (``offset``, ``begin``,
            ``valid``; :class:`ser.audio.prepare.Prepared`). Windows of a longer clip have its id as ``source``.
        training: the rows as they train and validate, where a variant of the audio does one side; else ``None``.
        preparation: how these very rows become waveforms.
        rate: of the prepared waveforms, in Hz.
        fingerprint: one hash over contents and labels.
        skipped: number of unusable clips left out.
        excluded: number of clips left out for their duration.
        dimensions: columns of numbers to predict; none where the emotion is predicted.
        info: published facts by corpus.
        train: corpora that train; empty where one corpus is both.
        test: corpora that are tested.
    """

    manifest: Manifest
    training: pd.DataFrame | None
    preparation: Preparation
    rate: int
    fingerprint: str
    skipped: int
    excluded: int
    dimensions: tuple[str, ...] = ()
    info: Mapping[str, CorpusInfo] = field(default_factory=dict)
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def as_trained(self) -> pd.DataFrame:
        """The rows as they train and validate."""
        return self.manifest.frame if self.training is None else self.training

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
            "excluded": self.excluded,
            "fingerprint": self.fingerprint,
            "licence": "; ".join(f"{info.title}: {info.licence}" for info in published),
            "citation": "; ".join(info.citation for info in published),
            "human_uar": {name: info.human_uar for name, info in self.info.items() if info.human_uar is not None},
            "corpora": [
                describe_clips(str(name), own, self.rate, self.info.get(str(name)))
                for name, own in frame.groupby("dataset", sort=True)
            ],
            "same_sound": find_same_sound(frame),
            "notes": list(self.manifest.notes),
        }


@dataclass(frozen=True)
class Selection:
    """What of a corpus is used, and as what.

    Attributes:
        emotions: harmonised names to keep; ``None`` keeps all.
        merge: emotions that count as others.
        target: ``emotion``, ``one_vs_rest:<emotion>``, or names of columns with numbers.
        variant: ``root``, ``map``, ``use`` and ``name`` of other audio of the same clips; without ``root``, none.
        texts: table of transcripts, in place of the corpus's own; ``None`` for those.
        min_speaker_share: leave out emotions that fewer than this share of the speakers show.
        on_bad_audio: ``fail`` or ``skip``.
        trial: takes few of the clips, where the run is to show no more than that it works.
    """

    emotions: Sequence[str] | None = None
    merge: Mapping[str, str] = field(default_factory=dict)
    target: str | Sequence[str] = "emotion"
    variant: Mapping[str, Any] = field(default_factory=dict)
    texts: str | None = None
    min_speaker_share: float = 0.0
    on_bad_audio: str = "fail"
    trial: Trial | None = None

    def __post_init__(self) -> None:
        if self.on_bad_audio not in ("fail", "skip"):
            raise InputError(f"on_bad_audio={self.on_bad_audio}", expected="fail or skip")
        check_use(self.variant.get("use", "both"))


def read_corpora(config: DictConfig, preparation: Preparation, rate: int) -> Corpus:
    """The corpus of ``dataset``, or those of ``data``, put together.

    Raises:
        InputError: a corpus that is not there, one emotion only, or (under ``on_bad_audio=fail``) unusable files.
    """
    shared = {key: config.dataset[key] for key in SHARED if key in config.dataset}
    trial = instantiate(config.debug) if "debug" in config else None
    selection = Selection(
        **shared, min_speaker_share=config.min_speaker_share, on_bad_audio=config.on_bad_audio, trial=trial
    )
    if not config.data.get("corpora"):
        return read_corpus(make_dataset(config.dataset), preparation, rate, selection)
    read = {
        name: read_corpus(make_dataset(own), preparation, rate, selection) for name, own in config.data.corpora.items()
    }
    return join_corpora(read, tuple(config.data.train), tuple(config.data.test))


def read_corpus(
    dataset: Dataset,
    preparation: Preparation,
    rate: int,
    selection: Selection = Selection(),
) -> Corpus:
    """Load one manifest, choose what to tell apart, and read every file once.

    Raises:
        InputError: a corpus that is not there, one emotion only, or (under ``fail``) files that cannot be used.
    """
    manifest, dimensions = replace_texts(dataset.load(), selection.texts), list_dimensions(selection.target)
    if not dimensions:
        manifest.require_emotions()
    manifest = merge_emotions(manifest, selection.merge).with_emotions(selection.emotions)
    if not dimensions:
        manifest = choose_target(drop_rare_emotions(manifest, selection.min_speaker_share), str(selection.target))
        check_emotions(manifest)
    if selection.trial is not None:
        manifest = selection.trial.cut(manifest)
    chunk = preparation.duration if isinstance(preparation.duration, Chunk) else None
    clips = found = inspect_clips(manifest.frame, replace(preparation, duration=None) if chunk else preparation, rate)
    manifest, clips = drop_bad_clips(manifest, clips, selection.on_bad_audio)
    if dimensions:
        read_targets(manifest.frame, dimensions)  # what is wrong with the ratings is said before long work
    else:
        check_emotions(manifest)
    if chunk:
        # The windows lie within what trimming left, so they are cut out of the file as they are.
        manifest = Manifest(manifest.name, expand_chunks(manifest.frame, clips, rate, chunk), manifest.notes)
        preparation = replace(preparation, trim=None)
        clips = inspect_clips(manifest.frame, preparation, rate)
        manifest, clips = drop_bad_clips(manifest, clips, "skip")
    notes = [*manifest.notes, *filter(None, [describe_shortfall(clips)])]
    for note in notes:
        log.warning(note)
    frame = add_findings(manifest.frame.assign(dataset=manifest.name), clips)
    training = None
    if selection.variant.get("root"):
        varied = read_variant(frame.assign(variant=ORIGINAL), preparation, rate, selection.variant)
        use = selection.variant["use"]
        training = frame.assign(variant=ORIGINAL) if use == "test" else varied
        frame = frame.assign(variant=ORIGINAL) if use == "train" else varied
    manifest = Manifest(manifest.name, frame, tuple(notes))
    return Corpus(
        manifest,
        training,
        preparation,
        rate,
        fingerprint(frame, [] if training is None else training["digest"]),
        skipped=int((found["problem"] != "").sum()),
        excluded=int((found["excluded"] != "").sum()),
        dimensions=dimensions,
        info={manifest.name: dataset.info} if hasattr(dataset, "info") else {},
    )


def add_findings(frame: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Rows of a manifest with what was found in their files, which is in the same order."""
    return frame.assign(**{name: clips[name].to_numpy() for name in ("digest", "samples", "offset", "begin", "valid")})


def read_variant(frame: pd.DataFrame, preparation: Preparation, rate: int, variant: Mapping[str, Any]) -> pd.DataFrame:
    """The same clips as other audio, every file read once; unusable files are refused, whatever the policy."""
    varied = swap_audio(frame, variant["root"], variant["map"], variant["name"])
    clips = inspect_clips(varied, preparation, rate)
    drop_bad_clips(Manifest(variant["name"], varied), clips, "fail")
    return add_findings(varied, clips)


def make_dataset(settings: Mapping[str, Any]) -> Dataset:
    """The object that a choice of ``conf/dataset`` names, without the keys that are not its own."""
    return instantiate({key: value for key, value in settings.items() if key not in SHARED})


def join_corpora(corpora: Mapping[str, Corpus], train: tuple[str, ...], test: tuple[str, ...]) -> Corpus:
    """Several corpora as one: ids carry the corpus's name, emotions, where they are the target, are what all have.

    Args:
        corpora: by the name of their choice.
        train: names of those that train.
        test: names of those that are tested.
    """
    dimensional = any(corpus.dimensions for corpus in corpora.values())
    common = set.intersection(*(set(corpus.manifest.emotions) for corpus in corpora.values()))
    if len(common) < 2 and not dimensional:
        listing = "; ".join(f"{name}: {', '.join(corpus.manifest.emotions)}" for name, corpus in corpora.items())
        raise InputError(
            f"data: the corpora have {len(common) or 'no'} emotion{'s' if len(common) != 1 else ''} in common",
            expected=f"at least two; {listing}",
            remedy="choose other corpora, or map emotions with dataset.merge",
        )
    notes: list[str] = []

    def keep(frame: pd.DataFrame) -> pd.Series:
        return frame["emotion"].isin(common) | dimensional

    for name, corpus in corpora.items():
        frame = corpus.manifest.frame
        dropped = frame[~keep(frame)]["emotion"].value_counts().sort_index()
        if len(dropped):
            listing = ", ".join(f"{emotion} {count}" for emotion, count in dropped.items())
            notes.append(f"{name}: clips of emotions that not all corpora have were left out: {listing}")
            log.warning(notes[-1])
    notes += [note for corpus in corpora.values() for note in corpus.manifest.notes]

    def stack(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        return pd.concat([name_after(name, frame[keep(frame)]) for name, frame in frames.items()])

    tested = stack({name: corpus.manifest.frame for name, corpus in corpora.items()})
    variants = any(corpus.training is not None for corpus in corpora.values())
    trained = stack({name: corpus.as_trained() for name, corpus in corpora.items()}) if variants else None
    whole = Manifest("+".join(corpora), tested, tuple(notes))
    first = next(iter(corpora.values()))
    return Corpus(
        manifest=whole,
        training=None if trained is None else trained.sort_values("clip", ignore_index=True),
        preparation=first.preparation,
        rate=first.rate,
        fingerprint=fingerprint(whole.frame, [corpus.fingerprint for corpus in corpora.values()]),
        skipped=sum(corpus.skipped for corpus in corpora.values()),
        excluded=sum(corpus.excluded for corpus in corpora.values()),
        dimensions=first.dimensions,
        info={name: info for corpus in corpora.values() for name, info in corpus.info.items()},
        train=train,
        test=test,
    )


def name_after(corpus: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose ids carry the corpus's name, so that no speaker or sentence is taken for another corpus's."""
    named = frame.assign(dataset=corpus)
    for column in ("clip", "source", "speaker", "sentence", "session"):
        if column in frame:
            named[column] = (corpus + "/" + frame[column]).where(frame[column].notna(), None)
    return named


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
