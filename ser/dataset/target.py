"""What a model is asked to tell apart: all emotions, merged ones, or one against the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ser.dataset.manifest import EMOTIONS, Manifest
from ser.dataset.raters import OTHER, merge_votes
from ser.errors import InputError

ALL = "emotion"
ONE_VS_REST = "one_vs_rest"
REST = "rest"
TARGETS = f"{ALL}, {ONE_VS_REST}:<emotion>, or a list of columns with numbers, such as [arousal,valence]"


def merge_emotions(manifest: Manifest, merge: Mapping[str, str]) -> Manifest:
    """Count emotions as others (``{"excitement": "happiness"}``), in raters' votes as well; ``label`` keeps the code.

    Raises:
        InputError: an emotion to be merged that no clip has.
    """
    unknown = [emotion for emotion in merge if emotion not in manifest.emotions]
    if unknown:
        raise InputError(
            f"dataset.merge: {', '.join(unknown)} does not occur in {manifest.name}",
            expected="some of " + ", ".join(manifest.emotions),
        )
    if not merge:
        return manifest
    frame = count_as(manifest.frame, merge)
    note = f"{manifest.name}: merged " + ", ".join(f"{source} into {target}" for source, target in merge.items())
    return Manifest(manifest.name, frame, (*manifest.notes, note))


def list_dimensions(target: object) -> tuple[str, ...]:
    """Manifest columns with numbers that ``dataset.target`` asks for; none where it asks for emotions.

    Raises:
        InputError: neither a name nor a list of names.
    """
    if isinstance(target, str):
        return ()
    if not isinstance(target, Sequence):
        raise InputError(f"dataset.target={target}", expected=TARGETS)
    return tuple(str(name) for name in target)


def choose_target(manifest: Manifest, target: str) -> Manifest:
    """The manifest with the classes that ``dataset.target`` asks for in ``emotion``.

    Args:
        manifest: with harmonised emotions.
        target: ``emotion``, or ``one_vs_rest:<emotion>``.

    Raises:
        InputError: another target, or an emotion that no clip has.
    """
    if target == ALL:
        return manifest
    kind, _, emotion = str(target).partition(":")
    if kind != ONE_VS_REST or not emotion:
        raise InputError(f"dataset.target={target}", expected=TARGETS)
    if emotion not in manifest.emotions:
        raise InputError(
            f"dataset.target={target}: {emotion} does not occur in {manifest.name}",
            expected="one of " + ", ".join(manifest.emotions),
        )
    # Raters also heard what no clip is labelled with: that is none of the emotion either.
    rest = {other: REST for other in (*manifest.emotions, *EMOTIONS, OTHER) if other != emotion}
    return Manifest(manifest.name, count_as(manifest.frame, rest), manifest.notes)


def count_as(frame: pd.DataFrame, merge: Mapping[str, str]) -> pd.DataFrame:
    """Rows with emotions replaced by others, in the class and in the votes of raters."""
    return merge_votes(frame.assign(emotion=frame["emotion"].replace(dict(merge))), merge)
