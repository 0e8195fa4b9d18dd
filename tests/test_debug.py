import pytest

from ser.config import compose
from ser.dataset.manifest import Manifest
from ser.debug import Trial
from ser.errors import InputError


@pytest.fixture
def manifest(build_frame):
    """8 speakers in 2 sessions of which the second is the test part, 3 emotions, 3 takes."""
    frame = build_frame(speakers=8)
    late = frame["speaker"].astype(int) >= 6
    parts = {"session": late.map({True: "2", False: "1"}), "split": late.map({True: "test", False: "train"})}
    return Manifest("mine", frame.assign(**parts), ("noted",))


def test_few_clips_of_few_speakers_of_every_part(manifest):
    cut = Trial("fast", clips=2, speakers=4).cut(manifest)
    assert cut.speakers == ["00", "01", "06", "07"] and set(cut.frame["split"]) == {"train", "test"}
    assert (cut.counts() == 2).all(axis=None)
    assert cut.notes == ("noted", "debug=fast: a trial on 24 of 72 clips; its scores mean nothing")


def test_null_takes_all(manifest):
    cut = Trial("profile").cut(manifest)
    assert len(cut) == len(manifest) == 72 and "72 of 72" in cut.notes[-1]
    assert Trial("fast", clips=99, speakers=99).cut(manifest).speakers == manifest.speakers


def test_clips_without_emotions_are_cut_as_well(manifest):
    ratings = Manifest("mine", manifest.frame.assign(emotion=None, label=None))
    assert len(Trial("fast", clips=1, speakers=2).cut(ratings)) == 2


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"speakers": -1}])
def test_nothing_left_is_refused(wrong):
    with pytest.raises(InputError, match=f"debug.{next(iter(wrong))}="):
        Trial("fast", **wrong)


def test_without_a_trial_the_configuration_says_nothing_of_it():
    """So that a run's key is what it was before there were trials."""
    config = compose()
    assert "debug" not in config and config.tracking.experiment == "ser"
    fast = compose(["debug=fast", "trainer.max_epochs=3"])
    assert fast.debug.mode == "fast" and fast.trainer.max_epochs == 3 and fast.tracking.experiment == "debug"
    assert fast.optimizer == config.optimizer
