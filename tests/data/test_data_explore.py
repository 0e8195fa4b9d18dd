import re

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.commands.data import main
from ser.data.pauses import PauseMeter
from ser.data.prosody import MEASURES, average_speakers, explain_variance, measure_effects, project, standardise_within
from ser.errors import InputError

RATE = 16000


def make_speech(f0, gap=0.0, seed=0):
    """A buzz of two syllables with a gap in between."""
    time = np.arange(round(0.4 * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * f0 * k * time) / k for k in range(1, 12)) * np.hanning(len(time)) * 0.1
    noise = np.random.default_rng(seed).normal(0, 1e-5, round((0.1 + gap) * RATE))
    return np.concatenate([noise[:800], buzz, noise, buzz, noise[:800]]).astype(np.float32)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explore")
    rows = []
    for speaker in range(4):
        for e, emotion in enumerate(("anger", "sadness")):
            for take in range(2):
                name = f"{speaker}{emotion}{take}.wav"
                f0 = (110, 210)[speaker % 2] * (1.4, 1.0)[e] + 3 * take
                soundfile.write(folder / name, make_speech(f0, 0.3 * e, len(rows)), RATE)
                rows.append((name, emotion, f"<s{speaker}>", ("male", "female")[speaker % 2]))
    (folder / "bad.wav").write_text("no audio")
    rows.append(("bad.wav", "anger", "<s0>", "male"))
    pd.DataFrame(rows, columns=["path", "emotion", "speaker", "gender"]).to_csv(folder / "table.csv", index=False)
    options = ["dataset=csv", f"dataset.path={folder / 'table.csv'}", f"paths.cache={folder / 'cache'}"]
    assert main(["explore", *options, f"hydra.run.dir={folder / 'out'}"]) == 0
    return folder


def test_the_page_is_one_file(page):
    html = (page / "out" / "explore.html").read_text()
    assert not re.search(r"(src|href)=\"(?!#)", html) and "<link" not in html and "@import" not in html
    assert html.count("<svg") == len(MEASURES) + 1 and "&lt;s0&gt;" in html and "<s0>" not in html
    for heading in (
        "Who says how much",
        "How the emotions sound",
        "Effect sizes",
        "Features in two dimensions",
        "Licence",
    ):
        assert heading in html
    assert "bad.wav" in html  # what was skipped is said


def test_measures_of_known_voices(page):
    clips = pd.read_csv(page / "out" / "measures.csv")
    assert len(clips) == 16
    by = clips.groupby(["gender", "emotion"])["f0"].mean()
    assert by["male", "sadness"] == pytest.approx(111.5, rel=0.04) and by["male", "anger"] == pytest.approx(
        155.5, rel=0.04
    )
    assert clips.loc[clips["emotion"] == "sadness", "pauses"].min() > 0.2
    assert clips.loc[clips["emotion"] == "anger", "pauses"].max() < 0.2
    effects = pd.read_csv(page / "out" / "effects.csv").set_index(["measure", "emotion"])
    assert effects.loc[("f0", "anger"), "low"] > 0 and effects.loc[("f0", "anger"), "speakers"] == 4


def test_the_same_corpus_gives_the_same_page(page):
    options = ["dataset=csv", f"dataset.path={page / 'table.csv'}", f"paths.cache={page / 'cache'}"]
    assert main(["explore", *options, f"out={page / 'again'}"]) == 0
    assert (page / "again" / "explore.html").read_bytes() == (page / "out" / "explore.html").read_bytes()


def test_effects_by_hand():
    values = {
        "a": {"x": [1.0, 3.0], "y": [5.0, 7.0]},
        "b": {"x": [0.0, 2.0], "y": [2.0, 4.0]},
        "c": {"x": [1, 3], "y": [4, 6]},
    }
    rows = [(s, e, v) for s, by in values.items() for e, vs in by.items() for v in vs]
    clips = pd.DataFrame(rows, columns=["speaker", "emotion", "f0"])
    clips = clips.assign(**{measure.column: clips["f0"] for measure in MEASURES})
    effects = measure_effects(clips).set_index(["measure", "emotion"]).loc[("f0", "y")]
    d = pd.Series([4, 2, 3]) / np.sqrt(2)  # differences over the within-emotion SD
    number, mean, low, high = average_speakers(d)
    assert (effects["d"], effects["low"], effects["high"]) == pytest.approx((mean, low, high)) and number == 3
    assert mean - low == pytest.approx(4.302653 * d.std() / np.sqrt(3))
    against = measure_effects(clips, "x").set_index(["measure", "emotion"])
    assert against.loc[("f0", "y"), "d"] == pytest.approx(mean) and ("f0", "x") not in against.index
    with pytest.raises(InputError, match=r"explore\.reference=z"):
        measure_effects(clips, "z")


def test_speakers_who_differ_do_not_make_an_effect():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(10), 20)
    clips = pd.DataFrame({"speaker": speakers.astype(str), "emotion": np.tile(["x", "y"], 100)})
    values = speakers * 100.0 + rng.normal(0, 1, 200)
    clips = clips.assign(**{measure.column: values for measure in MEASURES})
    row = measure_effects(clips).iloc[0]
    assert row["low"] < 0 < row["high"] and abs(row["d"]) < 0.5
    normalised = standardise_within(values, clips["speaker"].tolist())
    assert pd.Series(normalised).groupby(speakers).std().to_numpy() == pytest.approx(1)


def test_few_speakers_get_no_interval():
    number, mean, low, high = average_speakers(pd.Series([1.0, 2.0]))
    assert (number, mean) == (2, 1.5) and np.isnan(low) and np.isnan(high)


def test_constant_features_do_no_harm():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(40), rng.normal(size=(40, 3)), np.full(40, np.nan)])
    scores, shares = project(features)
    assert scores.shape == (40, 2) and 0 < shares.sum() <= 1
    assert np.all(standardise_within(np.ones(6), list("aabbcc")) == 0)
    assert explain_variance(np.repeat([[0.0], [1.0]], 3, axis=0), list("aaabbb")) == pytest.approx(1)


def test_pauses_are_measured_between_first_and_last_speech():
    meter = PauseMeter()
    tone = np.sin(np.arange(RATE // 2) / 5).astype(np.float32) * 0.3
    quiet = np.zeros(RATE // 2, np.float32)
    share, begin, end = meter.compute(np.concatenate([quiet, tone, quiet, tone, quiet, quiet]))
    assert (
        share == pytest.approx(1 / 3, abs=0.03)
        and begin == pytest.approx(0.5, abs=0.03)
        and end == pytest.approx(2, abs=0.03)
    )
    assert meter.compute(np.concatenate([tone, quiet[:1600], tone]))[0] == 0  # a closure, not a pause
    assert meter.compute(tone[:100])[0] == 0
