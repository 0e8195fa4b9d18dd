"""Every choice of ``conf/dataset`` with what is published about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ser.choices import find_choice, find_group, list_choices
from ser.dataset.harmonise import CODES, EMOTION_SYNONYMS
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import EMOTIONS
from ser.errors import InputError


@dataclass(frozen=True)
class Entry:
    """A corpus in the list; what nobody published is ``None`` or empty.

    Attributes:
        name: of the choice: ``dataset=<name>``.
        title: full name, or the YAML's own description.
        codes: the corpus's own code → emotion; a code may name none.
        here: the folder it would be read from, if that folder is there.
    """

    name: str
    title: str
    language: str = ""
    clips: int | None = None
    speakers: int | None = None
    classes: int | None = None
    emotions: Mapping[str, int] | None = None
    codes: Mapping[str, str | None] | None = None
    licence: str = ""
    access: str = ""
    url: str = ""
    citation: str = ""
    here: str = ""


def list_corpora() -> list[Entry]:
    """All corpora, by name; YAML files whose names begin with an underscore are fragments."""
    return [read_entry(find_choice("dataset", name)) for name in list_choices(find_group("dataset"))]


def read_entry(path: Path) -> Entry:
    """What one YAML and its class say."""
    text = path.read_text(encoding="utf-8")
    config = OmegaConf.create(text)
    description = text.partition("\n")[0].removeprefix("#").strip()
    here = find_root(config)
    try:
        info = find_info(find_class(config._target_))
    except InputError as error:  # a corpus whose optional package is missing is still listed
        return Entry(path.stem, description, access=str(error).partition("\n")[0], here=here)
    if info is None:
        return Entry(path.stem, description, codes=CODES.get(path.stem), here=here)
    return Entry(
        path.stem,
        info.title,
        info.language,
        info.clips or None,
        info.count_speakers() or None,
        len(info.emotions) or None,
        dict(info.emotions),
        CODES.get(path.stem),
        info.licence,
        info.access,
        info.url,
        info.citation,
        here,
    )


def find_class(target: str) -> type:
    """The class that a ``_target_`` names.

    Raises:
        InputError: it cannot be imported, e.g. because an optional package is missing.
    """
    module, _, name = str(target).rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{target} cannot be imported: {error}") from error


def find_info(corpus: type) -> CorpusInfo | None:
    """What is published about the corpus that a class reads, if anything is; generated ones are not published."""
    info = getattr(corpus, "info", None)
    return info if isinstance(info, CorpusInfo) and info.url else None


def find_root(config: object) -> str:
    """The folder that a dataset's YAML points at, if it is there."""
    try:
        root = OmegaConf.select(config, "root")  # type: ignore[arg-type]
    except OmegaConfBaseException:  # it points into the rest of the configuration
        return ""
    return str(root) if root and Path(str(root)).is_dir() else ""


def describe_codes() -> dict[str, str]:
    """What each corpus calls each emotion, ``anger: W; boredom: L; …``, and the words understood in any table."""
    tables: dict[str, Mapping[str, str | None]] = {**CODES, "csv, audformat": EMOTION_SYNONYMS}
    described = {}
    for name, codes in tables.items():
        own = {emotion: [code for code, named in codes.items() if named == emotion] for emotion in (*EMOTIONS, None)}
        spelt = [f"{emotion or 'no emotion'}: {', '.join(found)}" for emotion, found in own.items() if found]
        described[name] = "; ".join(spelt)
    return described


def make_record(entry: Entry) -> dict[str, object]:
    """The entry for programs: plain types, the emotions with their counts."""
    return asdict(entry)
