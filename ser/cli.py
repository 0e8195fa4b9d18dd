"""The command ``ser``; only the standard library is imported until a command is chosen."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from ser import __version__
from ser.errors import InputError
from ser.paths import find_own

#: Command → module with ``main(arguments) -> exit code``, and what it does.
COMMANDS = {
    "train": ("ser.commands.train", "train and evaluate; with -m, a sweep over every combination of choices"),
    "data": ("ser.commands.data", "corpora: list, check a copy, explore it, fetch it"),
    "list": ("ser.commands.list", "the config groups, and the choices in one: ser list backbone"),
    "show": ("ser.commands.show", "the keys of a choice, with comments: ser show head=mlp; --save makes it yours"),
    "pretune": ("ser.commands.pretune", "teach a backbone a language from transcribed speech, for language=ctc"),
    "predict": ("ser.commands.predict", "what a finished run says of other recordings: a row each, with probabilities"),
    "export": ("ser.commands.export", "a finished run's model as a folder that needs nothing else: safetensors, ONNX"),
    "explain": ("ser.commands.explain", "why a finished run decides as it does, and how far that can be believed"),
    "stats": ("ser.commands.stats", "statistics of a sweep or of any table; ser stats plan: of a next sweep"),
    "study": ("ser.commands.study", "run a study's commands in order; ser study list: which there are"),
    "ui": ("ser.commands.ui", "MLflow's own pages on this project's runs, on 127.0.0.1"),
    "doctor": ("ser.commands.doctor", "check the installation; --fix mends what can be mended"),
    "completion": ("ser.commands.completion", "completion with the tab key for bash, zsh and fish"),
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
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output, head say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
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
    if {"-h", "--help"} & set(rest):
        from ser.usage import describe_stage

        usage = describe_stage(command)
        if usage:
            sys.stdout.write(usage)
            return 0
    admit_own_modules()
    try:
        return import_module(COMMANDS[command][0]).main(rest)
    except InputError as error:
        sys.stderr.write(f"ser {command}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
        return 130


def admit_own_modules() -> None:
    """Let the YAML files in ``conf/`` of the working folder name classes in modules that lie beside that folder."""
    own = find_own()
    if own is not None and str(own.parent) not in sys.path:
        sys.path.append(str(own.parent))


def print_help() -> None:
    """Print what there is."""
    commands = "\n".join(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())
    sys.stdout.write(HELP.format(version=__version__, commands=commands) + "\n")
