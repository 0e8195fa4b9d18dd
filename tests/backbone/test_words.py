"""GloVe vectors and learned embeddings of words: files, division of words, masks, what is not known."""

import numpy as np
import pytest
import torch

from ser.backbone.glove import GloVe, divide
from ser.backbone.words import UNKNOWN, Words, build_vocabulary
from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError

LINES = ["the 1 2 3", "dog 4 5 6", "n't -1 0 1", "do 0.5 0.5 0.5", "'s 7 7 7", "l' 8 8 8", ". 9 9 9"]


@pytest.fixture
def write_vectors(tmp_path):
    def write(lines=LINES, name="glove.txt"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def read(backbone, *texts, padding=0):
    tokens = [torch.from_numpy(backbone.encode_text(text)) for text in texts]
    lengths = torch.tensor([len(row) for row in tokens])
    batch = torch.full((len(texts), int(lengths.max()) + padding), 1)
    for row, ids in zip(batch, tokens, strict=True):
        row[: len(ids)] = ids
    with torch.inference_mode():
        hidden, counts = backbone.build().eval()(batch, lengths)
    return [clip[:count].numpy() for clip, count in zip(hidden[0], counts, strict=True)]


def test_known_words_are_frames(write_vectors):
    backbone = GloVe(str(write_vectors()))
    found = read(backbone, "The dog, the!", "cat", "Don't!", "dog's", padding=2)
    np.testing.assert_array_equal(found[0], [[1, 2, 3], [4, 5, 6], [1, 2, 3]])
    np.testing.assert_array_equal(found[1], [[0, 0, 0]])  # nothing is known: one frame of nothing
    np.testing.assert_array_equal(found[2], [[0.5, 0.5, 0.5], [-1, 0, 1]])
    np.testing.assert_array_equal(found[3], [[4, 5, 6], [7, 7, 7]])
    assert backbone.count_unknown("the cat, l'aglio and don't") == (2, 5)


def test_a_word_with_a_vector_is_not_divided():
    assert divide("it's", {"it's": 1, "it": 2, "'s": 3}) == ["it's"]
    assert divide("l'aglio", {"l'": 1, "aglio": 2}) == ["l'", "aglio"]
    assert divide("dog", {"do": 1}) == [] and divide("can't", {"ca": 1, "n't": 2, "can": 3}) == ["ca", "n't"]


def test_the_folder_of_the_file_will_do_and_its_content_counts(write_vectors, tmp_path):
    path = write_vectors()
    assert GloVe(str(tmp_path)).path == path
    before = GloVe(str(path)).identify()
    assert GloVe(str(tmp_path)).identify() == before
    write_vectors([*LINES, "cat 1 1 1"])
    assert GloVe(str(path)).identify() != before and GloVe(str(path)).count_unknown("cat") == (0, 1)


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["the 1 2 3", "dog 4 5"], 2),
        (["the 1 2 3", "dog 4 five 6"], 2),
        (["the 1 2 3", "dog 4 nan 6"], 2),
        (["400000 3", "the 1 2 3"], 1),
        (["the 1 2 3", ""], 2),
    ],
)
def test_a_line_of_another_width_is_named(write_vectors, lines, line):
    with pytest.raises(InputError, match=rf"(?s)line {line} is not a word and.*header"):
        GloVe(str(write_vectors(lines))).vectors  # noqa: B018


def test_words_with_blanks_are_read(write_vectors):
    assert "a . b" in GloVe(str(write_vectors(["the 1 2 3", "a . b 4 5 6"]))).vectors.numbers


def test_files_that_are_not_there(write_vectors, tmp_path):
    with pytest.raises(InputError, match=r"(?s)nowhere.*found nothing.*glove.6B"):
        GloVe(str(tmp_path / "nowhere")).vectors  # noqa: B018
    write_vectors(name="one.txt"), write_vectors(name="two.txt")
    with pytest.raises(InputError, match=r"found one.txt, two.txt"):
        GloVe(str(tmp_path)).vectors  # noqa: B018
    with pytest.raises(InputError, match="empty"):
        GloVe(str(write_vectors([], "none.txt"))).vectors  # noqa: B018


def test_glove_is_not_fine_tuned(write_vectors):
    path = write_vectors()
    with pytest.raises(InputError, match="no weights to fine-tune"):
        build_trunk(compose(["backbone=glove", f"backbone.source={path}", "finetune=full"]))


def test_a_vocabulary_is_that_of_its_texts():
    texts = ["The dog.", "the cat!", "a DOG"]
    assert build_vocabulary(texts) == ("a", "cat", "dog", "the")
    assert build_vocabulary(texts, 2) == ("dog", "the")
    learned = Words(dim=4).learn(texts)
    assert learned.encode_text("the bird, dog").tolist() == [5, UNKNOWN, 4]
    assert learned.encode_text("...").tolist() == [UNKNOWN] and learned.count_unknown("the bird") == (1, 2)
    assert Words(dim=4).recall(learned.vocabulary).encode_text("cat").tolist() == learned.encode_text("cat").tolist()
    torch.manual_seed(0)
    found = read(learned, "the dog", "cat")
    assert [frames.shape for frames in found] == [(2, 4), (1, 4)]


def test_without_training_texts_there_is_no_vocabulary():
    with pytest.raises(InputError, match=r"(?s)has seen none.*finetune=full"):
        Words().build()
    with pytest.raises(InputError, match=r"(?s)Words starts untrained.*finetune=full"):
        build_trunk(compose(["backbone=words", "finetune=frozen"]))
