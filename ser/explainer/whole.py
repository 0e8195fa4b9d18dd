"""Explainers of whole runs: what embeddings know, how layers differ. They look at a corpus, not at single clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ser.finished import FinishedRun
from ser.head.trunk import Trunk


@runtime_checkable
class RunExplainer(Protocol):
    """A choice of ``conf/explainer`` that explains a run as a whole."""

    def check_trunk(self, trunk: Trunk, head: Any) -> None:
        """Raise InputError, with the reason, where it cannot explain what these become; cheap, before training."""

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Explain a run; tables (Parquet, CSV) and figures go into the folder, metrics are returned."""
