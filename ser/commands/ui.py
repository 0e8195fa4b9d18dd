"""``ser ui``: MLflow's own pages on this project's database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

from ser.errors import InputError

USAGE = """usage: ser ui [tracking.uri=<uri>] [port=5000] [host=127.0.0.1]

Opens MLflow on the runs of this project (default: the database under outputs/, or under SER_OUTPUTS)."""


def main(arguments: Sequence[str]) -> int:
    """Run MLflow's server until Ctrl-C."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    options = read_options(arguments)
    command = build_command(options)
    sys.stdout.write(f"MLflow on http://{options['host']}:{options['port']} shows {options['tracking.uri']}\n")
    sys.stdout.flush()
    return subprocess.call(command)


def read_options(arguments: Sequence[str]) -> dict[str, str]:
    """The options with their defaults; raises InputError for unknown ones and for a database that is not there."""
    outputs = os.environ.get("SER_OUTPUTS", "outputs")
    options = {"tracking.uri": f"sqlite:///{outputs}/mlflow.db", "port": "5000", "host": "127.0.0.1"}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in options or not value:
            raise InputError(f"ui: {argument!r} is not an option", expected=", ".join(f"{name}=…" for name in options))
        options[name] = value
    uri = options["tracking.uri"]
    if uri.startswith("sqlite:///") and not Path(urlparse(uri).path[1:]).is_file():
        raise InputError(
            f"tracking.uri={uri}: no such database",
            expected="the database that `ser train` writes",
            remedy="run `ser train` first, in this folder, or pass tracking.uri=sqlite:///<path>/mlflow.db",
        )
    return options


def build_command(options: dict[str, str]) -> list[str]:
    """The command line of MLflow's server."""
    server = ["--backend-store-uri", options["tracking.uri"], "--host", options["host"], "--port", options["port"]]
    # One worker is enough for one person; on a busy machine uvicorn takes several that start slowly for dead ones.
    return [sys.executable, "-m", "mlflow", "ui", *server, "--workers", "1"]
