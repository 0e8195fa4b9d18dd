import pytest

from ser.dataset.manifest import Manifest
from ser.dataset.target import choose_target, merge_emotions
from ser.errors import InputError


@pytest.fixture
def manifest(build_frame):
    return Manifest("mine", build_frame(2, ("anger", "excitement", "happiness"), 2))


def test_merged_emotions_keep_their_own_code(manifest):
    merged = merge_emotions(manifest, {"excitement": "happiness"})
    assert merged.frame["emotion"].value_counts().to_dict() == {"happiness": 8, "anger": 4}
    assert merged.frame["label"].tolist() == manifest.frame["label"].tolist()
    assert merged.notes == ("mine: merged excitement into happiness",)
    assert merge_emotions(manifest, {}) is manifest
    with pytest.raises(InputError, match=r"(?s)dataset.merge: calm does not occur.*anger, excitement"):
        merge_emotions(manifest, {"calm": "neutral"})


def test_one_emotion_against_the_rest(manifest):
    chosen = choose_target(manifest, "one_vs_rest:anger")
    assert chosen.frame["emotion"].value_counts().to_dict() == {"rest": 8, "anger": 4}
    assert (chosen.frame["emotion"].eq("anger") == manifest.frame["emotion"].eq("anger")).all()
    assert choose_target(manifest, "emotion") is manifest


@pytest.mark.parametrize("target", ["one_vs_rest", "one_vs_rest:calm", "age", "one_vs_rest:"])
def test_another_target_is_refused(manifest, target):
    with pytest.raises(InputError, match=r"dataset.target"):
        choose_target(manifest, target)
