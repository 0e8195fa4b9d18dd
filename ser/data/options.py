"""The command line of ``ser data``: its own options, and the configuration of ``ser train`` for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ser.config import compose
from ser.corpus import make_dataset
from ser.data.catalogue import find_info
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.dataset.target import merge_emotions
from ser.errors import InputError
from ser.launch import explain_mistake
from ser.paths import find_shipped
from ser.suggest import suggest


@dataclass(frozen=True)
class Options:
    """What one call is about.

    Attributes:
        config: of ``ser train``; ``dataset``, ``audio`` and ``paths`` count.
        own: ``check``, ``explore`` and ``fetch`` of ``conf/data.yaml``.
        out: folder for results.
    """

    config: DictConfig
    own: DictConfig
    out: Path

    @property
    def name(self) -> str:
        """What results call the corpus."""
        return str(self.config.dataset.name)


def read_options(overrides: Sequence[str]) -> Options:
    """Compose the configuration.

    Args:
        overrides: ``key=value``; ``hydra.run.dir=`` is accepted as ``out=``.

    Raises:
        InputError: an unknown key or choice, or several corpora at once.
    """
    own = OmegaConf.load(find_shipped("conf") / "data.yaml")
    assert isinstance(own, DictConfig)
    OmegaConf.set_struct(own, True)
    renamed = [f"out={o.partition('=')[2]}" if o.startswith("hydra.run.dir=") else o for o in overrides]
    mine = [o for o in renamed if o.partition("=")[0].partition(".")[0] in own]
    try:
        own = OmegaConf.merge(own, OmegaConf.from_dotlist(mine))
        # Looking at a corpus is how one learns of bad files, so they do not stop it unless that is asked for.
        config = compose(["on_bad_audio=skip", *(o for o in renamed if o not in mine)])
        if config.get("data") and config.data.get("corpora"):
            raise InputError("data.train, data.test: one corpus at a time", remedy="pass dataset=<name>")
        outputs, name = str(config.paths.outputs), str(config.dataset.name)
    except (HydraException, OmegaConfBaseException) as error:
        raise suggest(error, "train", renamed) or explain_mistake(error) from error
    assert isinstance(own, DictConfig)
    folder = f"{name}-{datetime.now().strftime('%Y-%m-%d_%H-%M-%S-%f')}"
    return Options(config, own, Path(own.out or Path(outputs) / "data" / folder))


def load_manifest(config: DictConfig) -> tuple[Manifest, CorpusInfo | None]:
    """The manifest that ``dataset`` names, with its merges and its choice of emotions, and what is published about it.

    Raises:
        InputError: a corpus that is not there, or choices that do not fit it.
    """
    try:
        settings: Any = config.dataset
        dataset = make_dataset(settings)
        manifest = merge_emotions(dataset.load(), settings.get("merge") or {})
        return manifest.with_emotions(settings.get("emotions")), find_info(type(dataset))
    except (HydraException, OmegaConfBaseException) as error:
        raise explain_mistake(error) from error
