"""What the commands of a study would run with, without running them."""

from hydra.core.override_parser.overrides_parser import OverridesParser

from ser.config import compose
from ser.study import RESULTS, choose_values, fill_command


def list_commands(study, scale):
    """(step, command) with every placeholder filled."""
    known = {
        **choose_values(study, scale, {})[1],
        "study": str(study.home),
        "folder": "/folder",
        "here": "/folder/here",
    }
    known |= {f"{step.name}.{what}": f"/folder/{step.name}" for step in study.steps for what in RESULTS}
    return [(step.name, fill_command(step.command, known)) for step in study.steps]


def compose_first(command):
    """The configuration of the first job of a command, its values resolved."""
    own = [word.partition("=")[2] for word in command if word.startswith("--config-dir=")]
    arguments = [take_first(word) for word in command[1:] if not word.startswith(("-", "hydra."))]
    return compose(arguments, command[0]) if not own else compose_with(own[0], arguments, command[0])


def compose_with(folder, arguments, stage):
    """The same with a configuration folder of the study's own, found as one in the working folder is."""
    import os
    from pathlib import Path

    before = Path.cwd()
    os.chdir(Path(folder).parent)
    try:
        return compose(arguments, stage)
    finally:
        os.chdir(before)


def take_first(word):
    """An override as the first job of a sweep has it."""
    override = OverridesParser.create().parse_override(word)
    if not override.is_sweep_override():
        return word
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"
