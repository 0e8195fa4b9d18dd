"""What is to be judged: files, the windows of long ones, and what is said in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from ser.audio.duration import Chunk
from ser.dataset.manifest import find_blanks
from ser.dataset.table import read_table
from ser.errors import InputError

#: Recordings beyond this many s are cut into windows: several utterances. Clips of emotional corpora are shorter (the
#: longest of EmoDB, EMOVO, RAVDESS, TESS and nEMO has 14 s), and Whisper reads 30 s at once.
LONGEST = 30.0
#: Their windows in s: about an utterance; the clips of those corpora last 1.7 to 3.7 s on average.
WINDOW = 5.0
#: Ends of the names of files in a folder; whatever else libsndfile reads can be named one by one.
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga", ".opus", ".sph", ".snd"}


@dataclass(frozen=True, eq=False)
class Place:
    """A recording, or a window of it.

    Attributes:
        file: what the user calls it.
        start: where the window begins in the file, in s; ``None``: at its beginning.
        end: where it ends; ``None``: at the end of the file.
        text: what is said in it, where that is known.
        samples: in place of a file, mono float32 [T] at the rate of the model.
    """

    file: str
    start: float | None = None
    end: float | None = None
    text: str | None = None
    samples: np.ndarray | None = None

    @property
    def shown(self) -> str:
        """For messages."""
        return self.file if self.start is None else f"{self.file} ({self.start:g} to {self.end:g} s)"


@dataclass(frozen=True)
class Windows:
    """How long recordings are cut.

    Args:
        window: of s; whatever is longer is cut. ``None``: windows of :data:`WINDOW`, of recordings beyond
            :data:`LONGEST` alone.
        hop: from one window to the next, in s; ``None``: half a window.
        most: no window is longer, where it is not chosen: a model may hear the beginning of a clip alone.

    Raises:
        InputError: no lengths.
    """

    window: float | None = None
    hop: float | None = None
    most: float = WINDOW

    def __post_init__(self) -> None:
        if self.window is not None and self.window <= 0:
            raise InputError(f"window={self.window}", expected="s, above 0, or null")
        if self.hop is not None and not 0 < self.hop <= self.length:
            raise InputError(f"hop={self.hop}", expected=f"s, above 0 and at most the window ({self.length:g} s)")

    @property
    def length(self) -> float:
        """Of a window in s."""
        return self.window or min(WINDOW, self.most)

    def cut(self, seconds: float) -> list[tuple[float, float]]:
        """Start and end of the windows of a recording of so many s; none where it is judged as a whole."""
        if seconds <= (self.window or LONGEST):
            return []
        return Chunk(self.length, self.hop or self.length / 2).find_windows(seconds)

    def divide(self, place: Place, rate: int) -> list[Place]:
        """The windows of a recording, or itself; a file that cannot be read is found out later.

        Args:
            place: a whole recording.
            rate: of its samples, where it is no file.
        """
        if place.samples is not None:
            seconds = len(place.samples) / rate
        else:
            try:
                about = soundfile.info(place.file)
            except (soundfile.SoundFileError, OSError):
                return [place]
            seconds = about.frames / about.samplerate
        return [replace(place, start=start, end=end) for start, end in self.cut(seconds)] or [place]


def list_files(audio: str | Sequence[str] | None) -> list[str]:
    """Files that a file, a folder, a pattern or a list of these stands for, each once.

    A folder stands for the recordings in it and below it, told by the ends of their names.

    Raises:
        InputError: nothing named, nothing there.
    """
    named = [audio] if isinstance(audio, str) else list(audio or ())
    if not named:
        raise InputError("audio: what is to be judged?", expected="audio=<file, folder, pattern or list of them>")
    return list(dict.fromkeys(file for each in named for file in find_files(str(each))))


def find_files(named: str) -> list[str]:
    """Files that one name stands for; a file that is named itself need not be there, which is told later."""
    path = Path(named).expanduser()
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
        if not found:
            raise InputError(f"audio={named}: no recordings in this folder", expected="wav, flac, ogg, mp3, …")
        return [str(each) for each in found]
    if path.exists() or not any(sign in named for sign in "*?["):
        return [str(path)]
    root, pattern = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (Path(), path)
    matched = sorted(each for each in root.glob(str(pattern)) if each.is_file())
    if not matched:
        raise InputError(f"audio={named}: no file matches")
    return [str(each) for each in matched]


def read_texts(path: str | Path, files: Sequence[str]) -> list[str | None]:
    """What is said in files, from a table with columns ``clip`` and ``text``; ``None`` where it does not tell.

    A clip is named by the file's path, its name, or its name without the end.

    Raises:
        InputError: no such table or columns, a clip named twice, one that is none of the files.
    """
    shown = f"texts={path}"
    table = read_table(Path(path), shown)
    if lacking := [name for name in ("clip", "text") if name not in table]:
        raise InputError(
            f"{shown}: no column {' and '.join(lacking)}", expected="clip and text; found " + ", ".join(table.columns)
        )
    clips = table["clip"].astype(str)
    if clips.duplicated().any():
        raise InputError(
            f"{shown}: a clip has two texts: {clips[clips.duplicated()].iloc[0]}", expected="one row a clip"
        )
    said = table[~find_blanks(table["text"])]
    told = dict(zip(said["clip"].astype(str), said["text"].astype(str), strict=True))
    names = [(file, Path(file).name, Path(file).stem) for file in files]
    known = {name for each in names for name in each}
    if unknown := [clip for clip in clips if clip not in known]:
        raise InputError(
            f"{shown}: not among the files: {', '.join(unknown[:5])}", expected=f"names such as {names[0][1]}"
        )
    return [next((told[name] for name in each if name in told), None) for each in names]


def make_places(files: Iterable[str], texts: Sequence[str | None] | None = None) -> list[Place]:
    """Whole recordings with what is said in them."""
    files = list(files)
    return [Place(file, text=text) for file, text in zip(files, texts or [None] * len(files), strict=True)]
