"""The tracks: what tells the classes apart is what is planted, where it is planted, and nothing else does."""

from statistics import NormalDist

import numpy as np
import pytest
import soundfile

from ser.dataset.manifest import PARTS
from ser.dataset.planted.clip import SPEAKER_PARTS, compose_numbered, find_part
from ser.dataset.planted.cues import CUE_NAMES, CUES
from ser.dataset.planted.lens import LENS_EMOTIONS
from ser.dataset.planted.lens_plan import CUTOFF_STATES, SNR_STATES, LensPlan, ShortcutPlan
from ser.dataset.planted.single_plan import EXPRESSES, NATURAL, GlobalPlan, LocalPlan, list_spans
from ser.dataset.planted.tracks import LOCAL_CUES, PlantedGlobal, PlantedLadder, PlantedLocal, PlantedShortcut
from ser.errors import InputError
from ser.split import Official

RATE = 16000
SMALL = {"speakers": 8, "utterances_per_speaker": 4, "seed": 2, "jobs": 1}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return PlantedLocal(root=tmp_path_factory.mktemp("local"), cue="breath", **SMALL).load()


def test_parts_hold_half_a_quarter_and_a_quarter_of_either_sex():
    for part, count in zip(PARTS, (12, 6, 6), strict=True):
        there = [speaker for speaker in range(24) if find_part(speaker) == part]
        assert len(there) == count and sum(speaker % 2 for speaker in there) == count // 2
    assert {find_part(speaker) for speaker in range(4)} == set(PARTS) == set(SPEAKER_PARTS)


def test_the_official_split_is_that_of_the_generator(local):
    (fold,) = Official().split(local, validation=True).folds
    speakers = [set(local.frame["speaker"].iloc[rows]) for rows in (fold.train, fold.validation, fold.test)]
    assert [len(names) for names in speakers] == [4, 2, 2]
    assert not speakers[0] & speakers[1] and not (speakers[0] | speakers[1]) & speakers[2]


def test_classes_are_balanced_within_speaker_sentence_and_decoy(local):
    counts = local.frame.groupby(["speaker", "sentence", "decoy_present", "emotion"]).size()
    assert len(counts) == 8 * 4 and (counts == 1).all()
    assert set(local.frame["emotion"]) == {"neutral", EXPRESSES["breath"]} and local.frame["label"].notna().all()


def test_a_local_cue_is_where_the_manifest_says_and_nowhere_else(local):
    frame = local.frame.set_index("clip")
    for _, pair in frame.groupby("matched_pair_id"):
        on, off = (pair[pair["present"] == there].iloc[0] for there in (True, False))
        assert np.isnan(off["span_start"]) and on["decoy_present"] == off["decoy_present"]
        waves = [soundfile.read(row["path"], dtype="float32")[0] for row in (on, off)]
        change = np.abs(waves[0] - waves[1])
        inside = slice(int((on["span_start"] - 0.05) * RATE), int((on["span_end"] + 0.1) * RATE))
        most = change[inside].max()
        change[inside] = 0
        # The vowel that follows keeps its level although the span rings into it: its gain moves by a hundredth of a dB.
        assert most > 1e-3 and change.max() < most / 50
        if on["decoy_present"]:
            apart = on["decoy_start"] >= on["span_end"] or on["decoy_end"] <= on["span_start"]
            assert apart and on["decoy_end"] - on["decoy_start"] > 0.1


def test_spans_lie_within_words_and_fit_into_every_sentence():
    for number in range(40):
        sentence = compose_numbered(3, number)
        words = [set(range(*word)) for word in sentence.words]
        places = list_spans(sentence, 2)
        assert len(places) >= 6
        for starts in places:
            spans = [set(range(at, at + 2)) for at in starts]
            assert all(any(span <= word for word in words) for span in spans)
            assert min(abs(a - b) for a in spans[0] for b in spans[1]) > 1


@pytest.mark.parametrize("cue", LOCAL_CUES)
def test_every_local_cue_can_be_planted(cue):
    decoy = "f0_level" if cue == "loudness" else "loudness"
    plan = LocalPlan(2, (4, 4, 4), 5, cue, decoy, 4.0, 2)
    rows = [plan.make(0, take).row for take in range(4)]
    assert sorted(row["present"] for row in rows) == [False, False, True, True]
    limits = next((c.low, c.high) for c in CUES if c.name == cue)
    assert {row["planted_dose"] for row in rows} == {0.0, min(4 * NATURAL[cue], limits[1])}


def test_the_classes_of_track_a1_are_d_prime_apart_and_the_rest_says_nothing():
    plan = GlobalPlan(8, (60, 60, 60), 1, "tilt", "loudness", 2.0)
    doses, there, decoy, rest = [], [], [], []
    for speaker in range(16):
        for draw in range(60):
            for present in (False, True):
                planted, spans, own = plan.plant(compose_numbered(1, 0), (1, speaker, draw), present, draw % 2 == 1)
                assert spans == () and own == {"d_prime": 2.0}
                doses.append(planted["tilt"] / NATURAL["tilt"])
                there.append(present)
                decoy.append(planted["loudness"])
                rest.append(planted["jitter"])
    doses, there = np.array(doses), np.array(there)
    assert doses[there].mean() - doses[~there].mean() == pytest.approx(2.0, abs=0.01)
    assert doses[there].std() == pytest.approx(1.0, abs=0.1)
    right = np.mean((doses > 1.0) == there)
    assert right == pytest.approx(NormalDist().cdf(1.0), abs=0.03)
    assert abs(np.corrcoef(there, decoy)[0, 1]) < 0.05 and abs(np.corrcoef(there, rest)[0, 1]) < 0.05


def test_ideal_answers_of_track_a1_come_from_the_dose(tmp_path):
    frame = PlantedGlobal(root=tmp_path, cue="pause", d_prime=2.0, **SMALL).load().frame
    heard = frame["cue_pause"] > NATURAL["pause"]
    assert ((frame["ideal"] == "sadness") == heard).all()
    assert set(frame["d_prime"]) == {2.0} and frame.columns.isin(["planted", "decoy", "noise_reference"]).sum() == 3
    assert frame["span_start"].isna().all()


@pytest.mark.parametrize("shortcut", ["noise", "channel", "speaker"])
def test_a_shortcut_follows_the_emotion_in_training_only(shortcut, monkeypatch):
    import ser.dataset.planted.lens_plan as module

    # The draws alone decide; no sound is needed.
    monkeypatch.setattr(
        module, "make_clip", lambda name, emotion, script, own: {"emotion": emotion, "channel": script.channel, **own}
    )
    plan = ShortcutPlan(LensPlan(24, 0, 3, 8.0), (60, 60, 60), shortcut, 0.5)
    for part, expected in (("train", 0.5 + 0.5 / 6), ("validation", 0.5 + 0.5 / 6), ("test", 1 / 6)):
        speakers = [speaker for speaker in range(24) if find_part(speaker) == part]
        rows = [plan.make(speaker, take) for speaker in speakers for take in range(60)]
        counts = [sum(row["emotion"] == emotion for row in rows) for emotion in LENS_EMOTIONS]
        assert max(counts) - min(counts) <= (0 if shortcut != "speaker" or part == "test" else len(rows) / 8)
        if shortcut == "speaker":
            shares = [
                max(sum(row["emotion"] == emotion for row in rows[at : at + 60]) for emotion in LENS_EMOTIONS) / 60
                for at in range(0, len(rows), 60)
            ]
        else:
            shares = [np.mean([row["shortcut_emotion"] == row["emotion"] for row in rows])]
            states = {(row["shortcut_emotion"], row["channel"].snr_db, row["channel"].cutoff_hz) for row in rows}
            field, values = (1, SNR_STATES) if shortcut == "noise" else (2, CUTOFF_STATES)
            assert {state[field] for state in states} == set(values)
            assert len({(state[0], state[field]) for state in states}) == 6
        assert np.mean(shares) == pytest.approx(expected, abs=0.06)


def test_track_a4_is_read_with_its_parts_and_ideal_answers(tmp_path):
    frame = (
        PlantedShortcut(
            root=tmp_path, speakers=4, utterances_per_speaker={"train": 12, "validation": 6, "test": 6}, jobs=1
        )
        .load()
        .frame
    )
    assert frame.groupby("split").size().to_dict() == {"train": 24, "validation": 6, "test": 6}
    assert (frame["ideal"] == frame["emotion"]).mean() > 0.7
    assert set(frame["snr_db"]) <= set(SNR_STATES) and set(frame["shortcut"]) == {"noise"}


def test_ladders_climb_with_everything_else_alike(tmp_path):
    manifest = PlantedLadder(
        root=tmp_path, speakers=2, utterances_per_speaker=1, steps=3, cues=["loudness", "breath"], jobs=1
    ).load()
    frame = manifest.frame
    assert len(frame) == 12 and frame["emotion"].isna().all() and manifest.emotions == []
    loud = frame[frame["ladder"] == "loudness"].sort_values(["speaker", "step"])
    levels = loud["true_level_dbfs"].to_numpy().reshape(2, 3)
    np.testing.assert_allclose(np.diff(levels), 12.0, atol=0.05)
    np.testing.assert_allclose(loud["dose"], loud["cue_loudness"])
    assert (loud["gain_db"] == -6.0).all()  # nothing had to be turned down
    assert frame.groupby("speaker")["draw"].nunique().eq(1).all()
    others = [f"cue_{cue}" for cue in CUE_NAMES if cue not in ("loudness", "breath")]
    assert (frame[others] == 0).all(axis=None)


def test_a_larger_corpus_begins_with_the_same_clips():
    small, large = (LocalPlan(n, (4 * n,) * 3, 7, "loudness", "tilt", 4.0, 1).make(1, 3) for n in (2, 9))
    np.testing.assert_array_equal(small.wave, large.wave)
    assert {k: v for k, v in small.row.items() if v == v} == {k: v for k, v in large.row.items() if v == v}


def test_tracks_and_parameters_have_folders_of_their_own():
    sizes = [4, {"train": 8, "validation": 4, "test": 4}]
    corpora = [
        *(track(utterances_per_speaker=size) for track in (PlantedGlobal, PlantedLocal) for size in sizes),
        PlantedLocal(cue="breath"),
        PlantedLocal(span=1),
        PlantedLocal(decoy="tilt"),
        PlantedGlobal(d_prime=2.0),
        PlantedShortcut(),
        PlantedShortcut(rho=0.5),
        PlantedShortcut(shortcut="channel"),
        PlantedLadder(),
        PlantedLadder(cues=["rate"]),
    ]
    assert len({corpus.folder for corpus in corpora}) == len(corpora)
    assert PlantedLocal(emotions=["neutral"], jobs=2, name="x").folder == PlantedLocal().folder


@pytest.mark.parametrize(
    ("track", "wrong", "says"),
    [
        (PlantedLocal, {"cue": "pause"}, r"dataset.cue=pause: no such cue here"),
        (PlantedLocal, {"cue": "loudnes"}, "did you mean 'loudness'"),
        (PlantedLocal, {"cue": "tilt", "decoy": "tilt"}, "cannot mislead"),
        (PlantedLocal, {"span": 3}, "1 or 2 syllables"),
        (PlantedLocal, {"strength": -1.0}, "dataset.strength=-1.0"),
        (PlantedLocal, {"utterances_per_speaker": 6}, "a multiple of 4"),
        (PlantedLocal, {"utterances_per_speaker": {"train": 4}}, "one for each of train, validation, test"),
        (PlantedGlobal, {"d_prime": float("nan")}, "dataset.d_prime=nan"),
        (
            PlantedGlobal,
            {"utterances_per_speaker": {"train": 4, "validation": 2, "test": 4}},
            r"utterances_per_speaker.validation=2",
        ),
        (PlantedShortcut, {"shortcut": "hum"}, "noise, channel, speaker"),
        (PlantedShortcut, {"rho": 1.5}, "dataset.rho=1.5"),
        (PlantedShortcut, {"utterances_per_speaker": 8}, "a multiple of 6"),
        (PlantedLadder, {"steps": 1}, "dataset.steps=1"),
        (PlantedLadder, {"cues": ["nois"]}, "dataset.cues=nois"),
        (PlantedLadder, {"seed": -1}, "dataset.seed=-1"),
        (PlantedLadder, {"jobs": 0}, "dataset.jobs=0"),
    ],
)
def test_impossible_parameters_of_tracks_are_refused(track, wrong, says):
    with pytest.raises(InputError, match=says):
        track(**wrong)
