"""The command ``ser``; only the standard library is imported until a command is chosen."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from ser import __version__
from ser.errors import InputError

#: Command → module with ``main(arguments) -> exit code``, and what it does.
COMMANDS = {
    "train": ("ser.commands.train", "train and evaluate; with -m, a sweep over every combination of choices"),
    "data": ("ser.commands.data", "corpora: list, check a copy, explore it, fetch it"),
    "list": ("ser.commands.list", "the choices of a config group: ser list backbone"),
    "pretune": ("ser.commands.pretune", "teach a backbone a language from transcribed speech, for language=ctc"),
    "explain": ("ser.commands.explain", "why a finished run decides as it does, and how far that can be believed"),
    "stats": ("ser.commands.stats", "statistics of a sweep or of any table; ser stats plan: of a next sweep"),
    "study": ("ser.commands.study", "run a study's commands in order; ser study list: which there are"),
    "ui": ("ser.commands.ui", "MLflow's own pages on this project's runs, on 127.0.0.1"),
    "doctor": ("ser.commands.doctor", "check the installation; --fix mends what can be mended"),
}

HELP = """ser {version}: experiments on speech emotion recognition that can be believed

usage: ser <command> [key=value …]

{commands}

  ser <command> --help   what a command takes
  ser --version          the version

examples
  ser train                                                  the built-in corpus, eGeMAPS, a linear classifier
  ser train dataset=emodb dataset.root=… backbone=egemaps head=svm split=loso
  ser train -m backbone=egemaps,mel_cnn head=linear,mlp seed=1,2,3

exit codes: 0 all well; 1 a job failed or a check found errors; 2 the command or the input is wrong"""


def run() -> NoReturn:
    """The console script: :func:`main` in a process of its own."""
    # Importing MLflow and scikit-learn makes millions of lasting objects. Looking at them for garbage again and again,
    # and once more at the end, costs a third of a short run.
    gc.set_threshold(100_000)
    code = main()
    gc.freeze()
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    command, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if command in ("-h", "--help", "help"):
        print_help()
        return 0
    if command == "--version":
        sys.stdout.write(f"ser {__version__}\n")
        return 0
    if command not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(command, COMMANDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        sys.stderr.write(f"ser: no command {command!r}{hint}\n  expected: {', '.join(COMMANDS)}\n")
        return 2
    try:
        return import_module(COMMANDS[command][0]).main(rest)
    except InputError as error:
        sys.stderr.write(f"ser {command}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
        return 130


def print_help() -> None:
    """Print what there is."""
    commands = "\n".join(f"  {name:<8} {text}" for name, (_, text) in COMMANDS.items())
    sys.stdout.write(HELP.format(version=__version__, commands=commands) + "\n")
