"""Finding a corpus's audio files, and saying plainly when they are not there."""

from __future__ import annotations

from pathlib import Path

from ser.errors import InputError

AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff", ".au", ".sph", ".wv"}


def find_audio(root: Path, name: str, inside: str = "") -> list[Path]:
    """All audio files of a corpus, sorted.

    Args:
        root: what the user passed as ``dataset.root``.
        name: the corpus, for messages.
        inside: the publisher's folder for audio; used when ``root`` holds it.

    Raises:
        InputError: no such folder, or no audio in it (what was found instead is named).
    """
    check_root(root, name)
    folder = root / inside if inside and (root / inside).is_dir() else root
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO and path.is_file())
    if not files:
        found = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
        raise InputError(
            f"dataset.root={root}: no audio files for {name}",
            expected=f"files ending in {', '.join(sorted(AUDIO))}{f', in {inside}/' if inside else ''}; found {found}",
            remedy="point dataset.root at the corpus's top folder or at the folder with the audio",
        )
    return files


def check_root(root: Path, name: str) -> None:
    """Raise InputError unless ``root`` is a folder."""
    if not root.is_dir():
        raise InputError(
            f"dataset.root={root}: no such folder",
            expected=f"the folder of {name} as its publisher lays it out",
            remedy=f"pass dataset.root=<folder>, or set SER_DATA to the folder that holds {name}/",
        )
