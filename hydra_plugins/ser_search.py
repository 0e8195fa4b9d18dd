"""Where Hydra looks for sweepers: it takes none from elsewhere. The search itself is in ``ser.hparams_search``.

Every project in the same environment that uses Hydra imports this module, so it imports nothing of ``ser`` at first.
"""

from __future__ import annotations

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SearchSweeper(Sweeper):
    """Runs the search that ``hparams_search`` describes."""

    launcher: Launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher ready."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:  # noqa: ARG002
        """Run the search; its overrides are in the configuration."""
        from ser.hparams_search.run import run_search

        assert self.hydra_context is not None and self.config is not None
        run_search(self.config, self.hydra_context.config_loader, self.launcher)
