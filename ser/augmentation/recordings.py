"""A folder of the user's recordings: found, checked, read with soundfile, resampled with soxr."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

from ser.audio.prepare import BadAudio, decode
from ser.errors import InputError

#: Endings of the names of files that libsndfile decodes.
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".mp3", ".oga", ".opus"}
#: Bytes at the beginning of each file that go into a fingerprint: MUSAN as a whole is 11 GB.
HEAD = 2**16
#: Files that an error message names.
SHOWN = 5


class Recordings:
    """The audio files of a folder and of the folders in it, in the order of their relative names.

    Args:
        folder: where they are.
        purpose: what they are, in words (for messages).

    Raises:
        InputError: no folder named, no such folder, no audio in it, or files that cannot be read.
    """

    def __init__(self, folder: str | Path | None, purpose: str) -> None:
        if folder is None:
            raise InputError(
                f"augmentation: the folder of {purpose} is not set",
                expected="a folder of audio files",
                remedy="set the key `folder` of this augmentation, e.g. augmentation.folder=…",
            )
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(f"augmentation: {folder}: no such folder", expected=f"a folder of {purpose}")
        self.paths = list_audio(self.folder)
        if not self.paths:
            raise InputError(
                f"augmentation: {folder}: no audio files in it",
                expected=f"{purpose} in a format that libsndfile decodes (WAV, FLAC, OGG, MP3, …)",
            )
        check_headers(self.paths, purpose)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the files' names, sizes and beginnings: other recordings, another augmentation."""
        digest = blake2b(digest_size=16)
        for path in self.paths:
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                digest.update(file.read(HEAD))
        return digest.hexdigest()


class Reader:
    """Reads recordings at one rate, mixed to mono; takes the place of torch_audiomentations.utils.io.Audio.

    That class reads through ``torchaudio.info``, which is gone, and ``torchaudio.load``, which needs torchcodec.

    Args:
        rate: sampling rate in Hz of what is read, whatever that of the files.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate

    def get_num_samples(self, path: str | Path) -> int:
        """Length of a recording, in samples at :attr:`rate`."""
        info = soundfile.info(path)
        return -(-info.frames * self.rate // info.samplerate)

    def __call__(self, path: str | Path, sample_offset: int = 0, num_samples: int | None = None) -> Tensor:
        """Samples [1, n] from an offset on, to the end of the file if their number is not given.

        Raises:
            InputError: the file cannot be decoded, or has samples that are not finite.
        """
        start = sample_offset / self.rate
        try:
            samples, file_rate = decode(path, start, None if num_samples is None else start + num_samples / self.rate)
        except BadAudio as error:
            raise InputError(f"augmentation: {path}: {error}", remedy="remove or replace the file") from error
        if not np.isfinite(samples).all():
            raise InputError(f"augmentation: {path}: non-finite samples", remedy="remove or replace the file")
        mono = samples.mean(axis=1)
        if file_rate != self.rate:
            mono = soxr.resample(mono, file_rate, self.rate)
        if num_samples is not None:
            # Rounding between the rates may have cost or added a sample.
            mono = np.pad(mono[:num_samples], (0, max(0, num_samples - len(mono))))
        return torch.from_numpy(np.ascontiguousarray(mono, dtype=np.float32))[None]

    @staticmethod
    def rms_normalize(samples: Tensor) -> Tensor:
        """Samples [..., n] brought to a root mean square of 1; digital silence stays."""
        return samples / samples.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=1e-8)


def list_audio(folder: Path) -> list[Path]:
    """Files with the name of an audio file, in the order of their names relative to the folder."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    visible = (path for path in found if not path.name.startswith("."))
    return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


def check_headers(paths: list[Path], purpose: str) -> None:
    """Raise InputError where the header of a file cannot be read or promises no samples."""
    bad = []
    for path in paths:
        try:
            if soundfile.info(path).frames == 0:
                bad.append(f"{path} (empty)")
        except (soundfile.SoundFileError, OSError) as error:
            bad.append(f"{path} ({str(error).strip()})")
    if bad:
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise InputError(
            f"augmentation: {len(bad)} of {len(paths)} {purpose} cannot be read: {', '.join(bad[:SHOWN])}{more}",
            remedy="remove or replace them",
        )
