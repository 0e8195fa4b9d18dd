"""What weights have heard: kept beside them as ``language.json``, compared with the test part of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd

from ser.audio.inspect import count_cores
from ser.audio.prepare import BadAudio, decode
from ser.errors import LeakError
from ser.results import read_json
from ser.split.fold import shorten, sort_names

#: Beside the weights, and in the directory of a run that started from such weights.
LANGUAGE = "language.json"


@dataclass(frozen=True)
class Heard:
    """Clips of one corpus that trained, or chose an epoch of, what a backbone starts from.

    Attributes:
        by: the key of the run that heard them.
        corpus: what results call it.
        languages: BCP-47 codes.
        speakers: as the corpus names them.
        recordings: hash of every clip's samples as decoded (:func:`hash_recordings`).
    """

    by: str
    corpus: str
    languages: tuple[str, ...]
    speakers: tuple[str, ...]
    recordings: tuple[str, ...]


def describe_heard(by: str, frame: pd.DataFrame) -> list[Heard]:
    """What clips are, corpus by corpus.

    Args:
        by: the key of the run that hears them.
        frame: rows of a manifest with the column ``dataset``.
    """
    recordings = pd.Series(hash_recordings(frame), index=frame.index)
    heard = []
    for corpus, rows in frame.groupby("dataset"):
        speakers = {name_speaker(str(corpus), speaker) for speaker in rows["speaker"]}
        languages = tuple(sorted(rows["language"].dropna().unique()))
        hashes = tuple(sorted(set(recordings[rows.index]) - {""}))
        heard.append(Heard(by, str(corpus), languages, tuple(sort_names(speakers)), hashes))
    return heard


def write_heard(heard: Iterable[Heard]) -> list[dict[str, Any]]:
    """As JSON has it."""
    return [asdict(each) for each in heard]


def read_heard(folder: Path | str | None) -> list[Heard]:
    """What the weights in a folder have heard, as far as it says; nothing for a checkpoint of a hub."""
    record = read_json(Path(folder) / LANGUAGE) if folder else {}
    return [
        Heard(each["by"], each["corpus"], *(tuple(each[name]) for name in ("languages", "speakers", "recordings")))
        for each in record.get("heard", [])
    ]


def check_leaks(heard: Sequence[Heard], tested: pd.DataFrame) -> None:
    """Refuse to test on what the weights have heard.

    Args:
        heard: what language pre-fine-tuning had.
        tested: manifest rows of all test parts, with the column ``dataset``.

    Raises:
        LeakError: speakers of the same corpus, or clips of the same samples whatever they are called.
    """
    if not heard:
        return
    known = {(each.corpus, speaker) for each in heard for speaker in each.speakers}
    corpora = tested["dataset"].astype(str)
    speakers = [name_speaker(corpus, speaker) for corpus, speaker in zip(corpora, tested["speaker"], strict=True)]
    pairs = pd.Series(list(zip(corpora, speakers, strict=True)), index=tested.index)
    by_name = pairs.isin(known)
    if by_name.any():
        refuse_speakers(heard, set(pairs[by_name]), set(pairs[~by_name]))
    recordings = {digest for each in heard for digest in each.recordings}
    alike = pd.Series(hash_recordings(tested), index=tested.index).isin(recordings)
    if alike.any():
        clips, persons = tested.loc[alike, "clip"].tolist(), sort_names(set(tested.loc[alike, "speaker"]))
        raise LeakError(
            f"language: {len(clips)} clips of the test part were heard in pre-fine-tuning, under other names: "
            f"{shorten(clips)} (speakers {shorten(persons)})",
            expected="test clips that the backbone never heard",
            remedy=f"leave these speakers out of the test part, or pre-fine-tune without them ({name_sources(heard)})",
        )


def refuse_speakers(heard: Sequence[Heard], known: set[tuple[str, str]], new: set[tuple[str, str]]) -> None:
    """Raise LeakError that names speakers who were heard and, as the remedy, those of their corpora who were not."""
    names = sort_names(f"{corpus} {speaker}" for corpus, speaker in known)
    corpora = {corpus for corpus, _ in known}
    free = sort_names(speaker for corpus, speaker in new if corpus in corpora)
    tests = f"split=fixed split.test_speakers=[{','.join(free)}]" if 0 < len(free) <= 20 else "test other speakers"
    one = len(names) == 1
    raise LeakError(
        f"language: {len(names)} speaker{' was' if one else 's were'} heard in pre-fine-tuning and "
        f"{'is' if one else 'are'} in the test part: {shorten(names, 20)}",
        expected="a test part of speakers whom the backbone never heard",
        remedy=f"{tests}; or pre-fine-tune on others ({name_sources(heard)}). If these are other people with the same "
        "ids, give their corpus another dataset.name",
    )


def name_sources(heard: Sequence[Heard]) -> str:
    """Which runs heard which corpora."""
    return "; ".join(dict.fromkeys(f"run {each.by} heard {each.corpus}" for each in heard))


def name_speaker(corpus: str, speaker: str) -> str:
    """The speaker as the corpus itself names it; where several corpora are read together, ids carry their names."""
    return speaker.removeprefix(f"{corpus}/")


def hash_recordings(frame: pd.DataFrame) -> list[str]:
    """Hash of each clip's samples as decoded, whatever its name, format or preparation; empty for an unusable file."""
    places = list(zip(frame["path"], frame["start"], frame["end"], strict=True))
    with ThreadPoolExecutor(count_cores()) as pool:
        return list(pool.map(lambda place: hash_file(*place), places))


def hash_file(path: str, start: float, end: float) -> str:
    """Hash of one clip; remembered within the process while the file's size and times stay as they are."""
    try:
        stat = Path(path).stat()
    except OSError:
        return ""
    limits = (None if time != time else float(time) for time in (start, end))
    return _hash(path, *limits, (stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=200_000)
def _hash(path: str, start: float | None, end: float | None, _signature: tuple[int, int]) -> str:
    try:
        samples, _ = decode(path, start, end)
    except BadAudio:
        return ""
    return blake2b(samples.tobytes(), digest_size=12).hexdigest()
