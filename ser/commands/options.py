"""Options of a command that is no Hydra stage, as its YAML describes them."""

from __future__ import annotations

from ser.annotated import read_document
from ser.paths import find_shipped
from ser.usage import format_rows, list_keys


def describe_options(stage: str) -> str:
    """A line or more for each key of ``conf/<stage>.yaml``, and where other keys come from."""
    document = read_document(find_shipped("conf") / f"{stage}.yaml")
    return "\n".join(["", *format_rows(list_keys(document)), "", document.title, ""])
