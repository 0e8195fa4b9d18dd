"""``ser study``: run a study's commands in order; ``ser study list``: which there are."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.errors import InputError

if TYPE_CHECKING:
    from ser.published.read import Publication
    from ser.study import Study

USAGE = """usage: ser study <name or path> [scale=<scale>] [<value>=… …] [out=<folder>] [launcher=<overrides>]
       ser study list

Runs the steps of experiments/<name>/study.yaml in order, each a ser command; the path of any such file will do.
What is done is not done again: the same command goes on where an earlier one stopped or was killed. Where the study
has a published.yaml, a page follows: published numbers against those obtained, and a verdict on each claim.

scale     one of the study's; the first by default
<value>   another value than that of the scale
out       folder for records and results; default: studies/<name>/<scale> under outputs/ (or SER_OUTPUTS)
launcher  where the jobs of its sweeps run: launcher="hydra/launcher=joblib hydra.launcher.n_jobs=4"

exit codes: 0 all well; 1 a step failed; 2 the command or the study is wrong"""


def main(arguments: Sequence[str]) -> int:
    """Run a study, or list them; returns the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    from ser.study import FAILED, LEFT, choose_values, find_study, read_study
    from ser.study_run import describe_records, run_study

    options = read_options(arguments)
    name, scale, out = options.pop("name"), options.pop("scale", None), options.pop("out", None)
    launcher = read_launcher(options.pop("launcher", ""))
    if name == "list":
        return print_studies()
    path = find_study(name)
    study = read_study(path)
    scale, values = choose_values(study, scale, options)
    publication = read_beside(path, study)
    folder = Path(out or Path(os.environ.get("SER_OUTPUTS", "outputs")) / "studies" / study.name / scale)
    records = run_study(study, values, folder, launcher)
    sys.stdout.write(f"\nstudy {study.name}, scale {scale}\n{describe_records(records)}\n")
    if publication is not None:
        from ser.published.page import PAGE, describe_verdicts, write_page

        verdicts = write_page(study, scale, values, records, publication, folder)
        sys.stdout.write(f"\n{describe_verdicts(verdicts)}\n\npage: {folder.absolute() / PAGE}\n")
    failed = [record.step for record in records if record.state in (FAILED, LEFT)]
    if failed:
        sys.stderr.write(f"ser study: did not finish: {', '.join(failed)}; the same command repeats only them\n")
    sys.stdout.write(f"{folder.absolute()}\n")
    return int(bool(failed))


def read_beside(path: Path, study: Study) -> Publication | None:
    """What a study is held against: the file ``published.yaml`` beside its own, if there is one."""
    from ser.published.read import PUBLISHED, read_publication

    file = path.parent / PUBLISHED
    return read_publication(file, [step.name for step in study.steps], study.scales) if file.is_file() else None


def read_options(arguments: Sequence[str]) -> dict[str, str]:
    """Key → value, the positional as ``name``."""
    plain = [argument for argument in arguments if "=" not in argument]
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    names = [*plain, *([options["name"]] if "name" in options else [])]
    if len(names) != 1:
        raise InputError(f"study: {' '.join(names) or 'no name'}", expected="the name or path of one study, or list")
    return {**options, "name": names[0]}


def read_launcher(text: str) -> list[str]:
    """Overrides of ``hydra/launcher``.

    Raises:
        InputError: something else, which would change what is run.
    """
    from ser.study import split_words

    words = split_words(text)
    if wrong := [word for word in words if not word.startswith(("hydra/launcher=", "hydra.launcher."))]:
        raise InputError(
            f"launcher: {wrong[0]}", expected="hydra/launcher=… and hydra.launcher.…=…, one after the other in quotes"
        )
    return words


def print_studies() -> int:
    """Print the studies, their scales and what they are."""
    from ser.study import list_studies, read_study

    for path in list_studies():
        study = read_study(path)
        sys.stdout.write(f"{study.name}  (scales: {', '.join(study.scales)})  {study.title}\n")
    return 0
