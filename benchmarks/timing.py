"""Run a command in a process of its own; say how long it took, what it cost and how much memory it held.

CPU seconds are user and system time of the command and of all descendants that it waited for (``wait4``), so they
depend little on what else the machine does; wall seconds depend on it a lot. All scripts here report both.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one command cost: seconds, seconds on all cores together, the largest resident set, and what it printed."""

    wall: float
    cpu: float
    peak_mb: float
    output: str = ""


class CommandFailed(RuntimeError):
    """A command that was to be timed ended with an error."""


def measure(command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Cost:
    """Run a command to its end.

    Args:
        command: program and arguments.
        env: variables on top of this process's own.
        cwd: where it runs.

    Raises:
        CommandFailed: it ended with another code than 0; the last lines it printed are in the message.
    """
    with tempfile.TemporaryFile() as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, cwd=cwd, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: leave nothing running
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read().decode(errors="replace")
    if process.returncode:
        tail = "\n".join(output.splitlines()[-20:])
        raise CommandFailed(f"exit code {process.returncode} from {' '.join(command)}\n{tail}")
    per_mb = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / per_mb, output)


def take_median(costs: Sequence[Cost]) -> Cost:
    """Median of each number; the output is the last one's."""
    wall, cpu, peak = (statistics.median(getattr(c, name) for c in costs) for name in ("wall", "cpu", "peak_mb"))
    return Cost(wall, cpu, peak, costs[-1].output)


def alternate(
    commands: Mapping[str, Sequence[str]], repeats: int, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> dict[str, list[Cost]]:
    """Measure commands in turn, ``repeats`` times each, so that a change of load meets all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            costs[name].append(measure(command, env, cwd))
    return costs


def find_ser() -> list[str]:
    """The command ``ser`` of the environment that runs this script."""
    script = Path(sys.executable).with_name("ser")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "ser"]


def describe_machine(repeats: int) -> str:
    """One line: cores, load now, Python, and how often things were measured."""
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, load {load} (1/5/15 min), Python {platform.python_version()}; "
        f"CPU s = user + system of a command and its children; median of {repeats} (lowest-highest)"
    )


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as Markdown, first column to the left, the others to the right."""
    cells = [list(columns), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    rule = [f"{'':-<{widths[0]}}", *(f"{'':-<{width - 1}}:" for width in widths[1:])]
    for row in (cells[0], rule, *cells[1:]):
        print("| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |")


def format_costs(costs: Sequence[Cost]) -> list[str]:
    """Wall seconds, CPU seconds with their range, and megabytes, as cells of a table."""
    middle = take_median(costs)
    cpu = [cost.cpu for cost in costs]
    spread = f" ({min(cpu):.2f}-{max(cpu):.2f})" if len(cpu) > 1 else ""
    return [f"{middle.wall:.2f}", f"{middle.cpu:.2f}{spread}", f"{middle.peak_mb:.0f}"]


COST_COLUMNS = ["wall s", "CPU s", "peak MB"]
