"""MSP-IMPROV (Busso et al., IEEE Trans. Affective Computing 2017): American English, improvised dyads, 12 actors.

A turn is ``session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav``: sentence, target emotion, speaker (sex and session),
condition, turn. ``Evalution.txt`` (spelt so; ``Evaluation.txt`` in some copies) names it ``UTD-IMPROV-….avi``, with the
emotion that raters perceived, which is the class here; the letter in the name is what the scene aimed at.

Conditions: ``S`` target sentence, improvised; ``R`` target sentence, read; ``T`` the other turns of an improvisation;
``P`` natural talk between scenes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio
from ser.dataset.harmonise import EMOTION_SYNONYMS, harmonise, list_emotions, name_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.dataset.table import find_labels, index_audio, join_audio
from ser.errors import InputError

#: Turns of each condition in the complete corpus.
CONDITIONS = {"P": 2785, "R": 620, "S": 652, "T": 4381}
INFO = CorpusInfo(
    title="MSP-IMPROV",
    language="en",
    emotions={"anger": 792, "happiness": 2644, "neutral": 3477, "sadness": 885},
    speaker_count=12,
    licence="for research, under the agreement of the University of Texas at Dallas",
    citation="Busso et al.: MSP-IMPROV: An acted corpus of dyadic interactions to study emotion perception. "
    "IEEE Transactions on Affective Computing 8(1), 2017",
    access="have the institution sign the MSP Lab's agreement, download the audio and the labels and unpack them",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html",
)
NAME = re.compile(
    r"MSP-IMPROV-S(?P<sentence>\d\d)(?P<target>[AHNS])-(?P<speaker>(?P<sex>[FM])\d(?P<session>\d))"
    r"-(?P<condition>[A-Z])-[FM]{2}\d+"
)
NUMBER = r"\s*([\d.]+|NaN)\s*;?"
LABEL = re.compile(
    rf"UTD-IMPROV-(?P<turn>[\w-]+)\.avi;\s*(?P<label>\w);\s*A:{NUMBER}\s*V:{NUMBER}\s*D:{NUMBER}(?:\s*N:{NUMBER})?"
)
#: A rater's line: name; emotion; secondary emotions; numbers.
RATING = re.compile(r"(?P<rater>[\w-]+);\s*(?P<emotion>Angry|Happy|Neutral|Sad|Other);")


class MSPImprov:
    """The corpus in its publisher's layout.

    Further columns are ``condition``, ``target`` (letter), ``scene`` (``S01A``), ``valence``, ``arousal``,
    ``dominance`` and ``naturalness`` (1 to 5) and ``rated_<emotion>`` (shares of the raters). ``sentence`` is the fixed
    sentence of conditions S and R, where it is what is said. Raters marked activation from 1, very active, to 5, very
    calm: ``arousal`` is 6 minus the number in the file, so that it rises as in other corpora.

    Args:
        root: the folder that holds the label file and ``session1/`` to ``session6/`` (or ``Audio/session1/`` …).
        condition: letters to keep, e.g. ``[S,R]``, or ``all``.
        emotions: harmonised names to keep (``None``: all four).
        name: what results call it.

    Raises:
        InputError: an unknown condition.
    """

    info = INFO

    def __init__(
        self,
        root: str,
        condition: str | Sequence[str] = "all",
        emotions: Sequence[str] | None = None,
        name: str = "msp_improv",
    ) -> None:
        self.root = Path(root)
        self.conditions = list(CONDITIONS) if condition == "all" else list(condition)
        for letter in self.conditions:
            if letter not in CONDITIONS:
                raise InputError(
                    f"dataset.condition={letter}",
                    expected=f"all, or some of {', '.join(CONDITIONS)}",
                    remedy="e.g. dataset.condition=[S,R]",
                )
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the label file.

        Raises:
            InputError: no such folder, no label file in it, none of its lines is MSP-IMPROV's, or no audio of them.
        """
        (table, *_) = find_labels(self.root, self.name, ["Evalution.txt", "Evaluation.txt"])
        labels = pd.DataFrame(read_labels(table))
        if labels.empty:
            raise InputError(
                f"{table}: no label of MSP-IMPROV in it",
                expected="lines like UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.000000; V:3.500000; D:3.000000 ; N:4.0;",
            )
        paths = index_audio(find_audio(table.parent, self.name))
        frame, notes = join_audio(labels, paths, self.root, self.name)
        notes += self._check_conditions(frame)
        frame, unused = name_emotions(frame, "msp_improv", self.name)
        notes = [*INFO.compare(self.name, frame), *notes, *unused, *self._check_arousal(frame)]
        texts = {path.stem: path for path in table.parent.rglob("MSP-IMPROV-*.txt")}
        frame["text"] = [
            texts[clip].read_text(encoding="utf-8", errors="replace").strip() if clip in texts else None
            for clip in frame["clip"]
        ]
        frame = frame[frame["condition"].isin(self.conditions)].assign(language=INFO.language)
        return Manifest(self.name, frame, tuple(notes)).with_emotions(self.emotions)

    def _check_conditions(self, frame: pd.DataFrame) -> list[str]:
        """The publisher's paper gives sizes, the files letters: a complete copy shows whether they belong together."""
        found = frame["condition"].value_counts().to_dict()
        if len(frame) != sum(CONDITIONS.values()) or found == CONDITIONS:
            return []
        sizes = ", ".join(f"{letter} {found.get(letter, 0)} of {size}" for letter, size in CONDITIONS.items())
        return [f"{self.name}: the conditions' sizes are not the published ones ({sizes}); check their letters"]

    def _check_arousal(self, frame: pd.DataFrame) -> list[str]:
        means = frame.groupby("emotion")["arousal"].mean()
        if means.get("anger", 1.0) >= means.get("sadness", 0.0):
            return []
        return [f"{self.name}: anger has less arousal than sadness: is the scale of this copy already turned round?"]


def read_labels(table: Path) -> list[dict[str, object]]:
    """A row for every turn: perceived emotion, means and votes of the raters."""
    text = table.read_text(encoding="utf-8", errors="replace")
    blocks = re.split(r"^(?=UTD-IMPROV)", text, flags=re.MULTILINE)  # a turn, then a line for each rater
    return [row for block in blocks if (row := parse_block(block))]


def parse_block(block: str) -> dict[str, object] | None:
    """Manifest row of a turn and its raters, or ``None``."""
    label = LABEL.match(block)
    turn = NAME.fullmatch(f"MSP-IMPROV-{label['turn']}") if label else None
    if not label or not turn:
        return None
    activation, valence, dominance, naturalness = (float(number or "nan") for number in label.groups()[2:])
    # A rater who appears twice was copied.
    votes = {
        match["rater"]: harmonise(match["emotion"], EMOTION_SYNONYMS)
        for match in map(RATING.match, block.splitlines())
        if match
    }
    heard = list(votes.values())
    return {
        "clip": turn.group(),
        "label": label["label"],
        "speaker": turn["speaker"],
        "gender": {"F": "female", "M": "male"}[turn["sex"]],
        "session": turn["session"],
        "condition": turn["condition"],
        "target": turn["target"],
        "scene": f"S{turn['sentence']}{turn['target']}",
        "sentence": turn["sentence"] if turn["condition"] in "RS" else None,
        "arousal": 6 - activation,
        "valence": valence,
        "dominance": dominance,
        "naturalness": naturalness,
        **{
            f"rated_{emotion}": heard.count(emotion) / len(heard) if heard else None
            for emotion in (*list_emotions("msp_improv"), "other")
        },
    }
