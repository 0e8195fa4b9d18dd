"""``ser data transcribe``: what a local Whisper hears in the clips of a corpus, as a table for ``dataset.texts``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from ser.backbone.weights import Checkpoint, find_checkpoint
from ser.data.read import read_usable
from ser.dataset.manifest import find_blanks
from ser.errors import InputError
from ser.progress import show_progress

log = logging.getLogger(__name__)

#: Hz at which Whisper hears, and seconds of a clip that it hears at once.
RATE, WINDOW = 16000, 30.0
#: Most tokens of a transcript; Whisper's own limit is 448 with its prompt.
TOKENS = 224


def transcribe_corpus(
    config: DictConfig,
    folder: Path,
    source: str | None = None,
    language: str | None = None,
    only_missing: bool = True,
    batch_size: int = 8,
    accelerator: str = "auto",
    format: str = "csv",
) -> tuple[Path, int]:
    """Write ``texts.csv`` (or ``.parquet``) with columns dataset, clip, text.

    Args:
        config: of ``ser train``: ``dataset``, ``audio``, ``on_bad_audio`` and ``paths`` count.
        folder: where to write.
        source: a whole Whisper, encoder and decoder, with its tokeniser: a folder or an id on the Hugging Face hub.
        language: BCP-47 code of what is spoken; ``None``: the corpus's, where all clips have the same.
        only_missing: leave alone clips that have a transcript.
        batch_size: clips at once.
        accelerator: ``cpu``, or others for the accelerator that there is.
        format: ``csv`` or ``parquet``.

    Returns:
        The table, and how many clips it has.

    Raises:
        InputError: a source that cannot write, nothing to transcribe, clips that are longer than Whisper hears.
    """
    if source is None or format not in ("csv", "parquet") or batch_size < 1:
        raise InputError(
            f"transcribe.source={source}, transcribe.format={format}, transcribe.batch_size={batch_size}",
            expected="a whole Whisper, csv or parquet, one clip or more",
            remedy="pass transcribe.source=openai/whisper-small, or a folder with its files",
        )
    corpus = read_usable(config, RATE)
    frame = corpus.manifest.frame
    rows = np.flatnonzero(find_blanks(frame["text"])) if only_missing else np.arange(len(frame))
    if not len(rows):
        raise InputError(
            f"dataset {corpus.manifest.name}: all {len(frame)} clips have a transcript",
            remedy="pass transcribe.only_missing=false to have them transcribed nonetheless",
        )
    chosen = frame.iloc[rows].reset_index(drop=True)
    check_lengths(chosen["clip"][corpus.samples[rows] > WINDOW * RATE])
    whisper = Transcriber(find_checkpoint(source), language or find_language(chosen), accelerator)
    texts = list(whisper.transcribe(chosen, corpus.preparation, batch_size))
    table = pd.DataFrame({"dataset": corpus.manifest.name, "clip": chosen["clip"], "text": texts})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"texts.{format}"
    if format == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path, len(table)


def check_lengths(long: pd.Series) -> None:
    """Refuse clips that are longer than what Whisper hears at once.

    Raises:
        InputError: names some of them.
    """
    if len(long):
        raise InputError(
            f"{len(long)} clips are longer than {WINDOW:g} s: {', '.join(long.iloc[:5])}",
            expected="clips that Whisper hears at once",
            remedy="leave them out with audio/duration=range",
        )


def find_language(frame: pd.DataFrame) -> str | None:
    """The language of all clips, without its region; ``None`` where they differ or do not say."""
    known = {str(language).partition("-")[0] for language in frame["language"].dropna()}
    return known.pop() if len(known) == 1 and frame["language"].notna().all() else None


class Transcriber:
    """A Whisper with its decoder.

    Args:
        checkpoint: its files.
        language: BCP-47 code of what is spoken; ``None``: Whisper guesses, or knows only English.
        accelerator: see :func:`transcribe_corpus`.

    Raises:
        InputError: an encoder alone, another family, no tokeniser, a language that it does not know.
    """

    def __init__(self, checkpoint: Checkpoint, language: str | None, accelerator: str) -> None:
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        from ser.backbone.frames import choose_device

        check_decoder(checkpoint)
        folder = checkpoint.config.parent
        try:
            self.processor: Any = WhisperProcessor.from_pretrained(folder)
        except Exception as error:  # transformers has no one kind for files that are missing
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"transcribe.source={checkpoint.source}: no tokeniser or feature extractor there ({reason})",
                expected="the files of the whole checkpoint: preprocessor_config.json, tokenizer.json, …",
                remedy="`hf download openai/whisper-small --local-dir DIR`; then transcribe.source=DIR",
            ) from error
        kind: Any = WhisperForConditionalGeneration
        model, found = kind.from_pretrained(folder, dtype="float32", output_loading_info=True)
        if found["missing_keys"]:
            raise InputError(
                f"transcribe.source={checkpoint.source}: weights are missing: {sorted(found['missing_keys'])[:5]}"
            )
        self.device = choose_device(accelerator)
        self.model = model.eval().to(self.device)
        self.options = self._choose_options(checkpoint.source, language)

    def transcribe(self, frame: pd.DataFrame, preparation: Any, batch_size: int) -> Iterator[str]:
        """The transcript of each row of a manifest, in order."""
        places = list(zip(frame["path"], frame["start"], frame["end"], strict=True))
        with show_progress("transcripts", len(places)) as advance:
            for first in range(0, len(places), batch_size):
                batch = places[first : first + batch_size]
                times = [[None if np.isnan(time) else time for time in (start, end)] for _, start, end in batch]
                heard = [preparation.read(path, RATE, *span) for (path, *_), span in zip(batch, times, strict=True)]
                yield from self.listen(heard)
                advance(len(batch))

    def listen(self, waveforms: Sequence[np.ndarray]) -> list[str]:
        """What it hears in waveforms [T], each at 16 kHz; the likeliest token at each step."""
        import torch

        found = self.processor(list(waveforms), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True).to(
            self.device
        )
        with torch.inference_mode():
            tokens = self.model.generate(
                found.input_features, attention_mask=found.attention_mask, do_sample=False, num_beams=1, **self.options
            )
        return [text.strip() for text in self.processor.batch_decode(tokens, skip_special_tokens=True)]

    def _choose_options(self, source: str, language: str | None) -> dict[str, Any]:
        settings = self.model.generation_config
        longest = min(TOKENS, int(self.model.config.max_target_positions) // 2)
        if not getattr(settings, "is_multilingual", False):
            if language not in (None, "en"):
                raise InputError(
                    f"transcribe.language={language}: {source} knows English alone",
                    remedy="choose a multilingual Whisper, such as openai/whisper-small",
                )
            return {"max_new_tokens": longest}
        known = {str(token).strip("<|>") for token in getattr(settings, "lang_to_id", {})}
        if language is not None and language not in known:
            raise InputError(
                f"transcribe.language={language}: {source} does not know it", expected=", ".join(sorted(known))
            )
        return {"max_new_tokens": longest, "task": "transcribe", "language": language}


def check_decoder(checkpoint: Checkpoint) -> None:
    """Refuse what is no Whisper, or its encoder alone, which hears and cannot write.

    Raises:
        InputError: with the reason.
    """
    from ser.backbone.checkpoint import read_tensors

    family = checkpoint.read_config().get("model_type")
    if family != "whisper":
        raise InputError(f"transcribe.source={checkpoint.source}: a network of the family {family}", expected="whisper")
    if not any("decoder." in name for name in read_tensors(checkpoint)):
        raise InputError(
            f"transcribe.source={checkpoint.source}: the encoder of Whisper alone, which hears but cannot write",
            expected="a whole Whisper, encoder and decoder, with its tokeniser",
            remedy="`hf download openai/whisper-small --local-dir DIR`, where the hub can be reached; then "
            "transcribe.source=DIR. Where you have transcripts already: dataset.texts=<table with clip,text>",
        )
