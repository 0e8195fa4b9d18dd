import pytest

from ser.dataset.emovo import TEXTS
from ser.language.texts import SPECIAL, Vocabulary, normalise


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Un attimo dopo s'è incamminato...ed è inciampato.", "un attimo dopo s'è incamminato ed è inciampato"),
        ("La forza trova il passo e l’aglio rosso.", "la forza trova il passo e l'aglio rosso"),
        ("“Un po' di tempo”, disse.", "un po di tempo disse"),
        ("PERCHE\u0300 no?", "perch\u00e8 no"),  # a decomposed accent
        ("well-known: 3 p.m. – it's 'quoted'", "well known 3 p m it's quoted"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया"),  # vowel signs are marks
        ("İstanbul", "i̇stanbul"),
        (" \t\n", ""),
        ("snake_case | <pad>", "snake case pad"),
    ],
)
def test_what_is_kept_of_a_text(text, kept):
    assert normalise(text) == kept
    assert normalise(kept) == kept


def test_the_vocabulary_is_that_of_the_training_texts():
    vocabulary = Vocabulary.build(["la città", "l'oca"])
    assert vocabulary.characters == tuple("'acilotà")
    assert list(vocabulary.tokens)[: len(SPECIAL)] == list(SPECIAL) and vocabulary.tokens["<pad>"] == 0
    assert len(vocabulary) == len(SPECIAL) + 8
    unknown = vocabulary.tokens["<unk>"]
    assert vocabulary.encode("la zio") == [*(vocabulary.tokens[c] for c in "la|"), unknown, *vocabulary.encode("io")]


def test_a_path_is_read_as_transformers_reads_it(tmp_path):
    import json

    import numpy as np
    from transformers import Wav2Vec2CTCTokenizer

    vocabulary = Vocabulary.build(map(normalise, TEXTS.values()))
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary.tokens))
    tokenizer = Wav2Vec2CTCTokenizer(tmp_path / "vocab.json")
    assert len(tokenizer) == len(vocabulary)
    for text in map(normalise, TEXTS.values()):
        assert tokenizer(text).input_ids == vocabulary.encode(text)
    draw = np.random.default_rng(0)
    letters = [0, *range(len(SPECIAL) - 1, len(vocabulary))]  # what a trained network yields
    for _ in range(50):
        path = np.repeat(draw.choice(letters, 30), draw.integers(1, 4, 30)).tolist()
        assert " ".join(tokenizer.decode(path).split()) == vocabulary.decode(path)


def test_repetitions_need_a_blank_between_them():
    vocabulary = Vocabulary.build(["alo"])
    a, l, o = vocabulary.encode("alo")  # noqa: E741
    assert vocabulary.decode([a, a, l, l, 0, l, o, 0, 0, o]) == "alloo"
    assert vocabulary.decode([0, 0]) == "" and vocabulary.decode([]) == ""
