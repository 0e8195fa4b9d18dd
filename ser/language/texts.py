"""Transcripts and characters: what is kept of a text, and the vocabulary of a recogniser."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

#: Tokens that are no characters, in the order of facebook/wav2vec2-base-960h's vocab.json; the first is CTC's blank.
BLANK, BEGIN, END, UNKNOWN, SPACE = SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "|")
APOSTROPHES = str.maketrans("’ʼ‘`´", "'" * 5)
#: An apostrophe that does not stand between two letters.
LOOSE = re.compile(r"(?<![^\W\d_])'|'(?![^\W\d_])")


def normalise(text: str) -> str:
    """What is kept of a transcript: words in lower case, their accents, and one blank between words.

    Unicode's NFC form, lower case, every apostrophe as ``'``. Letters, marks and digits stay, as does an apostrophe
    between two letters (*l'aglio*), which is spelling; all else is punctuation and becomes a blank.
    """
    lower = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()).translate(APOSTROPHES)
    kept = "".join(sign if sign == "'" or unicodedata.category(sign)[0] in "LMN" else " " for sign in lower)
    return " ".join(LOOSE.sub(" ", kept).split())


@dataclass(frozen=True)
class Vocabulary:
    """Characters of the training texts after the tokens that are no characters.

    Attributes:
        characters: sorted, without the blank between words.
    """

    characters: tuple[str, ...]

    @classmethod
    def build(cls, texts: Iterable[str]) -> Vocabulary:
        """That of normalised texts."""
        return cls(tuple(sorted(set().union(*texts) - {" "})))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def tokens(self) -> dict[str, int]:
        """Token → number, as ``vocab.json`` has it."""
        return {token: number for number, token in enumerate((*SPECIAL, *self.characters))}

    def encode(self, text: str) -> list[int]:
        """A normalised text as numbers; characters that no training text has are unknown."""
        return [self.tokens.get(SPACE if sign == " " else sign, self.tokens[UNKNOWN]) for sign in text]

    def decode(self, path: Sequence[int]) -> str:
        """The text of a path through frames: repetitions count once, then blanks go (Graves et al., ICML 2006)."""
        names = [*SPECIAL[:-1], " ", *self.characters]
        once = [number for place, number in enumerate(path) if place == 0 or number != path[place - 1]]
        signs = "".join(names[number] for number in once if number >= len(SPECIAL) - 1)
        return " ".join(signs.split())
