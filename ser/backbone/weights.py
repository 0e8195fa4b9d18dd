"""Where a checkpoint's files are, and what is in them. Nothing here loads torch or transformers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.errors import InputError

if TYPE_CHECKING:
    from torch import nn

CONFIG = "config.json"
#: Where the settings of a feature extractor are kept; the second holds them beside a tokenizer's.
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
#: In the order of preference: safetensors cannot hold code. An index names the shards of a large checkpoint.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
#: Seconds that the hub has to answer.
PATIENCE = 5.0

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


@dataclass(frozen=True)
class Checkpoint:
    """Files of a checkpoint in the layout of transformers.

    Attributes:
        source: what the user called it.
        config: ``config.json``.
        preprocessor: settings of the feature extractor, if there are any.
        weights: one file, or the shards.
    """

    source: str
    config: Path
    preprocessor: Path | None
    weights: tuple[Path, ...]

    def read_config(self) -> dict[str, Any]:
        """Settings of the network."""
        return _read_json(self.config)

    def read_preprocessor(self) -> dict[str, Any]:
        """Settings of the feature extractor; empty if there are none."""
        if self.preprocessor is None:
            return {}
        settings = _read_json(self.preprocessor)
        return settings.get("feature_extractor", settings)

    def hash(self) -> str:
        """Hash of the contents of all files; where they lie and what the user calls them does not matter."""
        return hash_files([self.config, *([self.preprocessor] if self.preprocessor else []), *self.weights])


def find_checkpoint(source: str, revision: str | None = None) -> Checkpoint:
    """Files of a checkpoint in a folder, in the local cache of the Hugging Face hub, or, failing these, on the hub.

    What the cache holds is used as it is, without asking the hub whether there is something newer.

    Args:
        source: a folder, or an id on the hub such as ``facebook/wav2vec2-base``.
        revision: branch, tag or commit on the hub.

    Raises:
        InputError: a folder that is missing or lacks files, an id that is neither cached nor within reach.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return _collect(source, lambda name: path if (path := folder / name).is_file() else None, _list_names(folder))
    if not _HUB_ID.fullmatch(source):
        raise InputError(
            f"backbone.source={source}: no such folder",
            expected=f"a folder with {CONFIG} and weights, or an id on the Hugging Face hub",
            remedy="pass backbone.source=…, or set SER_WEIGHTS where it begins with that folder",
        )
    return _find_cached(source, revision) or _download(source, revision)


def hash_files(paths: Iterable[Path]) -> str:
    """Hash of names and contents. A file that keeps size and time of change is read once in a process."""
    content = blake2b(digest_size=16)
    for path in sorted(paths, key=lambda path: path.name):
        state = path.stat()
        content.update(f"{path.name} {_hash_content(str(path), state.st_size, state.st_mtime_ns)}\n".encode())
    return content.hexdigest()


def hash_parameters(network: nn.Module) -> str:
    """Hash of all parameters and buffers of a network, with their names, types and shapes."""
    import torch

    content = blake2b(digest_size=16)
    for name, tensor in sorted([*network.named_parameters(), *network.named_buffers()]):
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return content.hexdigest()


def _collect(source: str, find: Callable[[str], Path | None], there: Iterable[str]) -> Checkpoint:
    """Pick out the files; ``find`` maps a name to its path, ``there`` is told to a user who lacks some."""
    config = find(CONFIG)
    chosen = next((name for name in WEIGHTS if find(name)), None)
    if config is None or chosen is None:
        raise InputError(
            f"backbone.source={source}: no {CONFIG if config is None else 'weights'} there; "
            f"found {', '.join(sorted(there)) or 'nothing'}",
            expected=f"{CONFIG}, and one of {', '.join(WEIGHTS)}",
        )
    names = [chosen]
    if chosen.endswith(".index.json"):
        index = find(chosen)
        assert index is not None
        names = sorted(set(_read_json(index).get("weight_map", {}).values()))
    weights = {name: find(name) for name in names if Path(name).name == name}  # an index cannot lead out of its folder
    lacking = [name for name in names if weights.get(name) is None]
    if lacking or not names:
        raise InputError(f"backbone.source={source}: {chosen} names files that are not there: {', '.join(lacking)}")
    preprocessor = next((path for name in PREPROCESSORS if (path := find(name))), None)
    return Checkpoint(source, config, preprocessor, tuple(path for path in weights.values() if path))


def _find_cached(source: str, revision: str | None) -> Checkpoint | None:
    from huggingface_hub import try_to_load_from_cache

    def find(name: str) -> Path | None:
        path = try_to_load_from_cache(source, name, revision=revision)
        return Path(path) if isinstance(path, str) else None

    complete = find(CONFIG) and any(map(find, WEIGHTS))
    try:
        return _collect(source, find, ()) if complete else None
    except InputError:  # a download of shards that broke off
        return None


def _download(source: str, revision: str | None) -> Checkpoint:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        # One question without retries tells whether the hub is there, what it has, and which commit that is.
        info = HfApi().model_info(source, revision=revision, timeout=PATIENCE)
        there = {file.rfilename for file in info.siblings or ()}

        def find(name: str) -> Path | None:
            return Path(hf_hub_download(source, name, revision=info.sha)) if name in there else None

        found = _collect(source, find, (name for name in there if "/" not in name))
        hf_hub_download(source, CONFIG, revision=revision)  # lets the cache know which commit the revision names
    except InputError:
        raise
    except Exception as error:  # of the HTTP library, which changes with the version of huggingface_hub
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"backbone.source={source}: no such folder, not in the local cache, and the Hugging Face hub does not give "
            f"it ({type(error).__name__}: {reason})",
            expected="a folder, or an id that is cached or can be reached",
            remedy=f"where the hub can be reached, `hf download {source} --local-dir DIR`; then backbone.source=DIR",
        ) from error
    return found


def _list_names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: not a JSON object")
    return found


@lru_cache(maxsize=256)
def _hash_content(path: str, size: int, changed: int) -> str:  # noqa: ARG001 - part of what is remembered
    content = blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        while block := file.read(1 << 22):
            content.update(block)
    return content.hexdigest()
