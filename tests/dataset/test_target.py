import pytest

from ser.dataset.manifest import Manifest
from ser.dataset.target import choose_target, list_dimensions, merge_emotions
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


@pytest.fixture
def rated(manifest):
    """Each clip's raters: two for its emotion, one for anger, one for an emotion that no clip is labelled with."""
    votes = {e: 2.0 * (manifest.frame["emotion"] == e) for e in ("anger", "excitement", "happiness")}
    votes |= {"anger": votes["anger"] + 1, "fear": 1.0, "other": 1.0}
    return Manifest("mine", manifest.frame.assign(**{f"rated_{emotion}": value for emotion, value in votes.items()}))


def test_raters_of_merged_emotions_are_added_up(rated):
    frame = merge_emotions(rated, {"excitement": "happiness"}).frame
    assert "rated_excitement" not in frame
    assert (frame["rated_happiness"] == 2.0 * (frame["emotion"] == "happiness")).all()


def test_raters_who_heard_anything_else_voted_for_the_rest(rated):
    frame = choose_target(rated, "one_vs_rest:anger").frame
    assert [column for column in frame if column.startswith("rated_")] == ["rated_anger", "rated_rest"]
    assert (frame["rated_rest"] == 2.0 + 2.0 * (frame["emotion"] == "rest")).all()
    assert (frame["rated_anger"] == 1.0 + 2.0 * (frame["emotion"] == "anger")).all()
    few = choose_target(rated.with_emotions(["anger", "happiness"]), "one_vs_rest:anger").frame
    assert set(few["rated_rest"]) == {2.0, 4.0}


@pytest.mark.parametrize("target", [5, None, {"arousal": 1}])
def test_a_target_that_is_neither_a_name_nor_a_list_is_refused(target):
    with pytest.raises(InputError, match=r"(?s)dataset.target=.*list of columns"):
        list_dimensions(target)


@pytest.mark.parametrize("target", ["one_vs_rest", "one_vs_rest:calm", "age", "one_vs_rest:"])
def test_another_target_is_refused(manifest, target):
    with pytest.raises(InputError, match=r"dataset.target"):
        choose_target(manifest, target)
