"""``python -m ser``."""

from ser.cli import run

run()
