"""What a model is asked to tell apart: all emotions, merged ones, or one against the rest."""

from __future__ import annotations

from collections.abc import Mapping

from ser.dataset.manifest import Manifest
from ser.errors import InputError

ALL = "emotion"
ONE_VS_REST = "one_vs_rest"
REST = "rest"


def merge_emotions(manifest: Manifest, merge: Mapping[str, str]) -> Manifest:
    """Count emotions as others (``{"excitement": "happiness"}``); the corpus's own code stays in ``label``.

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
    frame = manifest.frame.assign(emotion=manifest.frame["emotion"].replace(dict(merge)))
    note = f"{manifest.name}: merged " + ", ".join(f"{source} into {target}" for source, target in merge.items())
    return Manifest(manifest.name, frame, (*manifest.notes, note))


def list_dimensions(target: object) -> tuple[str, ...]:
    """Manifest columns with numbers that ``dataset.target`` asks for; none where it asks for emotions."""
    return () if isinstance(target, str) else tuple(str(name) for name in target)  # type: ignore[attr-defined]


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
        raise InputError(
            f"dataset.target={target}",
            expected=f"{ALL}, {ONE_VS_REST}:<emotion>, or a list of columns with numbers, such as [arousal,valence]",
        )
    if emotion not in manifest.emotions:
        raise InputError(
            f"dataset.target={target}: {emotion} does not occur in {manifest.name}",
            expected="one of " + ", ".join(manifest.emotions),
        )
    classes = manifest.frame["emotion"].where(manifest.frame["emotion"] == emotion, REST)
    return Manifest(manifest.name, manifest.frame.assign(emotion=classes), manifest.notes)
