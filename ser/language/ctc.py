"""Weights that our own stage, ``ser pretune``, fine-tuned on transcribed speech."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.backbone.speech import Speech
from ser.errors import InputError
from ser.language.heard import LANGUAGE, Heard, read_heard
from ser.language.start import check_backbone, check_origin, start_from
from ser.results import read_json
from ser.runs import find_files

#: The transformers folder in the directory of a run of ``ser pretune``.
MODEL = "model"


class CTC:
    """Starts from the result of a finished run of ``ser pretune``, or has the stage run first.

    Args:
        run: id, key or directory of such a run, or the folder with its weights.
        pretune: without ``run``: configuration of the stage (:mod:`ser.language.nested` makes it of overrides).
        tracking: settings of the tracker that knows runs.
        cache: folder for artifacts of runs whose directories are gone.
        _: keys of the other choices.
    """

    def __init__(
        self,
        tracking: Mapping[str, Any],
        cache: str,
        run: str | None = None,
        pretune: Any = None,
        **_: object,
    ) -> None:
        self.tracking = tracking
        self.cache = Path(cache)
        self.run = run
        self.pretune = pretune
        if not run and not isinstance(pretune, Mapping | DictConfig):
            raise InputError(
                "language=ctc: which weights?",
                expected="language.run=<id, key or directory of a finished `ser pretune`>, or its overrides",
                remedy='e.g. \'language.pretune=["dataset=emovo","speakers=[f1,f2,m1,m2]"]\'',
            )

    def list_heard(self, backbone: Any) -> list[Heard]:
        """Clips that trained the weights, or will train them."""
        check_backbone(backbone, "language=ctc", Speech)
        if self.run:
            return read_heard(self.find(backbone))
        from ser.pretune import Plan

        return Plan.make(self.pretune, backbone).heard

    def apply(self, backbone: Any) -> Any:
        """The backbone with these weights; the stage runs now unless it finished before."""
        check_backbone(backbone, "language=ctc", Speech)
        if self.run:
            return start_from(backbone, self.find(backbone))
        from ser.pretune import pretune

        return start_from(backbone, pretune(self.pretune, None, backbone=backbone).model)

    def find(self, backbone: Any) -> Path:
        """The folder with the weights of ``run``.

        Raises:
            InputError: no such run, or one that began with other weights than the backbone.
        """
        record = read_json(self.folder / LANGUAGE)
        check_origin(backbone, record.get("origin", {}), f"language.run={self.run}")
        return self.folder

    @cached_property
    def folder(self) -> Path:
        """Where the weights of ``run`` are."""
        given = Path(str(self.run)).expanduser()
        if (given / LANGUAGE).is_file() and (given / "config.json").is_file():
            return given.absolute()
        found = find_files(str(self.run), [MODEL], instantiate(self.tracking), self.cache, "language.run")
        return found.absolute() / MODEL
