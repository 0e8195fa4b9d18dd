"""``ser completion <shell>``: the script that makes a shell complete ``ser`` with the tab key."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ser.completion import SHELLS, complete, read_script
from ser.errors import InputError

#: What the scripts call: ``ser completion ask "ser train head=li"``.
ASK = "ask"
USAGE = """usage: ser completion bash|zsh|fish

Prints the script that completes commands, groups, choices and keys with the tab key. Write into

~/.bashrc                    eval "$(ser completion bash)"
~/.zshrc, after compinit     eval "$(ser completion zsh)"
~/.config/fish/config.fish   ser completion fish | source"""


def main(arguments: Sequence[str]) -> int:
    """Print the script, or answer one; returns the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments[:1]):
        sys.stdout.write(USAGE + "\n")
        return 0
    if arguments[0] == ASK:
        sys.stdout.write("".join(f"{word}\t{text}\n" for word, text in complete(" ".join(arguments[1:])).items()))
        return 0
    if arguments[0] not in SHELLS:
        raise InputError(f"no script for {arguments[0]!r}", expected=", ".join(SHELLS))
    sys.stdout.write(read_script(arguments[0]))
    return 0
