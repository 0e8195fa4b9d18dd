"""Launchers that are not part of every installation."""

from __future__ import annotations

from importlib.util import find_spec

from omegaconf import DictConfig

from ser.errors import InputError

#: Packages that presets in ``conf/hydra/launcher`` need → the extra of ``ser`` that brings them.
EXTRAS = {"hydra_plugins.hydra_ray_launcher": "ray", "hydra_plugins.hydra_submitit_launcher": "slurm"}


def check_launcher(launcher: DictConfig) -> None:
    """Raise InputError for a launcher whose package is not installed."""
    for package, extra in EXTRAS.items():
        if launcher._target_.startswith(f"{package}.") and find_spec(package) is None:
            name = launcher._target_.rpartition(".")[2]
            raise InputError(f"hydra/launcher: {name} is not installed", remedy=f"pip install 'ser[{extra}]'")
