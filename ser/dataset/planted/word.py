"""Sentences with a word that is spelt in two ways and said in one, as *bear* and *bare*.

Which of the two is meant is in the transcript alone. A word that could be heard would be in the sound as well, and a
model that hears words would rightly earn speech a share of what the word tells.
"""

from __future__ import annotations

from functools import lru_cache

from ser.dataset.planted.clip import compose_numbered
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import ONSETS, SYLLABLES_PER_WORD, VOWELS, Sentence, Syllable

#: The two spellings of the word.
SPELLINGS = ("kamiso", "camiso")
#: How both sound: as the first is spelt.
SOUND = tuple(
    Syllable(
        next(onset for kind in ONSETS.values() for onset in kind if onset.letter == consonant),
        next(one for one in VOWELS if one.letter == vowel),
    )
    for consonant, vowel in zip("kms", "aio", strict=True)
)
#: First letter of the names of these sentences.
PREFIX = "w"


@lru_cache(maxsize=4096)
def compose_bearing(seed: int, number: int) -> Sentence:
    """The sentence of a corpus with a number, of whole words, with the word in its place among them."""
    carrier = compose_numbered(seed, number)
    place = find_place(seed, number) * SYLLABLES_PER_WORD
    whole = carrier.syllables[: count_words(carrier) * SYLLABLES_PER_WORD]
    return Sentence(f"{PREFIX}{number:02d}", (*whole[:place], *SOUND, *whole[place:]))


def find_place(seed: int, number: int) -> int:
    """Which word of a sentence it is, from 0.

    It stands before no vowel that is its own last one: no one could hear two syllables there.
    """
    carrier = compose_numbered(seed, number)
    places = [
        place
        for place in range(count_words(carrier))
        if carrier.syllables[place * SYLLABLES_PER_WORD] != Syllable(ONSETS["none"][0], SOUND[-1].vowel)
    ]
    places.append(count_words(carrier))
    return int(places[open_stream(Stream.SPAN, (seed, number)).integers(len(places))])


def count_words(carrier: Sentence) -> int:
    """Whole words of a sentence."""
    return len(carrier.syllables) // SYLLABLES_PER_WORD


def respell(text: str, place: int, spelling: int) -> str:
    """A transcript with the word at a place in one of its spellings."""
    words = text.split()
    return " ".join([*words[:place], SPELLINGS[spelling], *words[place + 1 :]])


def read_sentence(seed: int, name: str) -> Sentence:
    """A sentence of a corpus by its id, as it is spoken."""
    compose = compose_bearing if name.startswith(PREFIX) else compose_numbered
    return compose(seed, int(name[1:]))
