"""Miniature corpora with every defect planted: each is named, with the right exit code."""

import json
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.commands.data import main
from ser.data.findings import Limits
from ser.data.leaks import guess_emotion, measure_associations, measure_information, measure_v
from ser.data.probe import count_runs, find_full_scale, probe_clip

EMOTIONS = ("anger", "neutral", "sadness")


def make_voice(seed, seconds=0.8, rate=16000):
    noise = np.random.default_rng(seed).normal(0, 0.05, round(seconds * rate))
    return noise.astype(np.float32)


def write_corpus(folder, speakers=4, takes=2, **columns):
    """A sound corpus: a table, and a file for each speaker, emotion and take."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (speaker, emotion, take) in enumerate(
        (s, e, t) for s in range(speakers) for e in EMOTIONS for t in range(takes)
    ):
        name = f"s{speaker}-{emotion}-{take}.wav"
        soundfile.write(folder / name, make_voice(number, 0.8 + 0.013 * (number * 7 % 11)), 16000)
        gender = ("female", "male")[speaker % 2]
        rows.append(
            {"path": name, "emotion": emotion, "speaker": f"s{speaker}", "gender": gender, "sentence": f"t{take}"}
        )
    frame = pd.DataFrame(rows).assign(text="words", **columns)
    frame.to_csv(folder / "table.csv", index=False)
    return frame


def check(folder, *options, capsys):
    code = main(["check", "dataset=csv", f"dataset.path={folder / 'table.csv'}", f"out={folder / 'out'}", *options])
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(folder / "out")
    return code, printed, json.loads((folder / "out" / "check.json").read_text())


def list_kinds(record, severity):
    return {finding["kind"] for finding in record["findings"] if finding["severity"] == severity}


def find(record, kind):
    return next(finding for finding in record["findings"] if finding["kind"] == kind)


def test_a_sound_corpus_passes(tmp_path, capsys):
    write_corpus(tmp_path)
    code, printed, record = check(tmp_path, capsys=capsys)
    assert code == 0 and record["passed"] and not record["findings"]
    assert record["files"]["rate"] == {"16000 Hz": 24}
    assert record["class_by_speaker"]["s0"] == {"gender": "female", "anger": 2, "neutral": 2, "sadness": 2, "all": 6}
    assert record["class_by_gender"]["male"]["all"] == 12
    assert "4 speakers (2 female, 2 male)" in printed and "No leak risk found" in printed


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    frame = write_corpus(folder, speakers=6)
    files = [folder / name for name in frame["path"]]
    damage = {
        "zero": lambda p: p.write_bytes(b""),
        "text": lambda p: p.write_text("Dies ist kein Ton, sondern Text.\n" * 9, encoding="utf-8"),
        "truncated": lambda p: p.write_bytes(p.read_bytes()[:9000]),
        "nan": lambda p: soundfile.write(p, np.append(make_voice(90), np.nan), 16000, subtype="FLOAT"),
        "silent": lambda p: soundfile.write(p, np.zeros(16000), 16000),
        "pointer": lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        "corrupt": lambda p: p.write_bytes(b"RIFF" + np.random.default_rng(1).bytes(4000)),
        "gone": lambda p: p.unlink(),
        "clipped": lambda p: soundfile.write(p, np.clip(make_voice(91) * 12, -0.6, 0.6), 16000),
        "loud": lambda p: soundfile.write(p, np.clip(make_voice(92) * 40, -1, 1), 16000),
        "stereo": lambda p: soundfile.write(p, np.stack([make_voice(93), make_voice(94)], 1), 16000),
        "fast": lambda p: soundfile.write(p, make_voice(95, rate=96000), 96000),
        "coarse": lambda p: soundfile.write(p, make_voice(96), 16000, subtype="PCM_U8"),
        "short": lambda p: soundfile.write(p, make_voice(97, 0.2), 16000),
        "long": lambda p: soundfile.write(p, make_voice(98, 31), 16000),
        "padded": lambda p: soundfile.write(p, np.pad(make_voice(99), (0, 3200)), 16000),
    }
    names = dict(zip(damage, files, strict=False))
    for kind, path in names.items():
        damage[kind](path)
    # Copies: of the same speaker and emotion, under another speaker (with zeros after it), and under another emotion.
    names["same"], names["again"] = files[20], files[21]
    names["theirs"], names["theirs, too"] = files[24], files[30]
    names["contradicts"], names["contradicted"] = files[26], files[28]
    for source, copy in (("same", "again"), ("contradicts", "contradicted")):
        names[copy].write_bytes(names[source].read_bytes())
    voice, rate = soundfile.read(names["theirs"])
    soundfile.write(names["theirs, too"], np.pad(voice, (0, 100)), rate)
    table = pd.read_csv(folder / "table.csv")
    table.loc[35, "path"] = "Käthe ß 例.wav"
    files[35].rename(folder / "Käthe ß 例.wav")
    table.loc[3, "text"] = None
    table.to_csv(folder / "table.csv", index=False)
    return folder, {kind: path.stem for kind, path in names.items()}


def test_every_planted_defect_is_named(damaged, capsys):
    folder, names = damaged
    code, printed, record = check(folder, capsys=capsys)
    assert code == 1 and not record["passed"] and "NOT sound" in printed
    unusable = {f["clips"][0]: f["text"] for f in record["findings"] if f["kind"] == "unusable"}
    reasons = {
        "zero": "zero bytes", "text": "text, not audio: it begins 'Dies ist kein Ton", "truncated": "truncated: ",
        "nan": "non-finite samples (NaN or infinity): 1 of 12,801", "silent": "silent", "pointer": "Git LFS pointer",
        "corrupt": "cannot be decoded", "gone": "no such file",
    }  # fmt: skip
    assert set(unusable) == {names[kind] for kind in reasons}
    for kind, reason in reasons.items():
        assert reason in unusable[names[kind]] and f"{names[kind]}.wav" in unusable[names[kind]]
        assert names[kind] in printed
    assert record["usable"] == record["clips"] - len(reasons) == 28
    for kind, clips in {
        "clipped": ["clipped", "loud"], "short": ["short"], "long": ["long"], "padded": ["padded"],
        "mixed channels": ["stereo"], "mixed rate": ["fast"], "8 bit": ["coarse"], "mixed coding": ["coarse"],
    }.items():  # fmt: skip
        found = find(record, kind)
        assert sorted(found["clips"]) == sorted(names[clip] for clip in clips), kind
        assert found["severity"] in ("warning", "note") and names[clips[0]] in printed
    assert "96000 Hz in 1" in printed and "1 of 36 clips without transcript" in printed


def test_duplicates_are_judged_by_speaker_and_label(damaged, capsys):
    folder, names = damaged
    _, _, record = check(folder, capsys=capsys)
    groups = {f["severity"]: f for f in record["findings"] if f["kind"] == "duplicate"}
    assert set(groups["warning"]["clips"]) == {names["same"], names["again"]}
    assert set(groups["risk"]["clips"]) == {names["theirs"], names["theirs, too"]}
    assert "under 2 speakers" in groups["risk"]["text"]
    assert set(groups["error"]["clips"]) == {names["contradicts"], names["contradicted"]}
    assert "with different labels" in groups["error"]["text"]


def test_the_table_of_clips_has_every_clip_and_its_findings(damaged, capsys):
    folder, names = damaged
    check(folder, capsys=capsys)
    clips = pd.read_csv(folder / "out" / "clips.csv").set_index("clip")
    assert len(clips) == 36 and "Käthe ß 例" in clips.index
    assert clips.loc[names["coarse"], "findings"] == "mixed coding; 8 bit"
    assert clips.loc[names["fast"], "rate"] == 96000
    assert pd.isna(clips.loc["Käthe ß 例", "findings"])


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"sentence": [e for _ in range(4) for e in EMOTIONS for _ in range(2)]}, "one sentence per class"),
        ({"session": [e for _ in range(4) for e in EMOTIONS for _ in range(2)]}, "session × emotion"),
        ({"gender": [("female", "male", "male")[i // 2 % 3] for i in range(24)]}, "gender × emotion"),
        ({"speaker": [f"{e}-{i}" for _ in range(4) for e in EMOTIONS for i in range(2)]}, "speakers with one class"),
        ({"split": ["train", "test"] * 12}, "published split"),
    ],
)  # fmt: skip
def test_leak_risks_in_the_table(tmp_path, capsys, columns, kind):
    write_corpus(tmp_path, **columns)
    code, printed, record = check(tmp_path, capsys=capsys)
    assert code == 0 and kind in list_kinds(record, "risk") and "Leak risks" in printed


@pytest.mark.parametrize(
    ("rewrite", "kind"),
    [
        (lambda p: soundfile.write(p, make_voice(crc32(p.name.encode()), rate=22050), 22050), "rate × emotion"),
        (lambda p: soundfile.write(p, make_voice(crc32(p.name.encode()))[:11000], 16000), "constant duration"),
        (
            lambda p: soundfile.write(p, np.pad(make_voice(crc32(p.name.encode())), (0, 2000)), 16000),
            "padded × emotion",
        ),
    ],
)
def test_leak_risks_in_the_files(tmp_path, capsys, rewrite, kind):
    write_corpus(tmp_path)
    for path in sorted(tmp_path.glob("*anger*.wav")):
        rewrite(path)
    code, _, record = check(tmp_path, capsys=capsys)
    assert code == 0 and kind in list_kinds(record, "risk")


def test_class_specific_sentences(tmp_path, capsys):
    sentences = [f"{'own' if i // 2 % 3 == 0 else 'all'}{i % 2}" for i in range(24)]
    write_corpus(tmp_path, sentence=sentences)
    _, printed, record = check(tmp_path, capsys=capsys)
    assert "2 sentences said in one emotion only (33% of the clips)" in printed
    assert len(find(record, "class-specific sentences")["clips"]) == 8


def test_thresholds_are_settings(tmp_path, capsys):
    write_corpus(tmp_path)
    _, _, record = check(tmp_path, "check.shortest=2.0", capsys=capsys)
    assert len(find(record, "short")["clips"]) == 24 and record["limits"]["shortest"] == 2.0


def test_association_is_corrected_for_chance():
    rng = np.random.default_rng(0)
    emotions = rng.choice(list(EMOTIONS), 300)
    speakers = np.arange(300) % 10
    clips = pd.DataFrame({"speaker": speakers, "emotion": emotions, "zeros": 0.0})
    unique = (
        measure_associations(clips.assign(sentence=[f"t{i}" for i in range(300)])).set_index("column").loc["sentence"]
    )
    assert unique["v"] == pytest.approx(0, abs=1e-6) and unique["guess"] == pytest.approx(1 / 3)
    assert unique["information"] == pytest.approx(1)  # which is why it is not what the check judges by
    chance = measure_associations(clips.assign(sentence=rng.integers(0, 10, 300))).set_index("column").loc["sentence"]
    assert chance["v"] < 0.15 and 0.25 < chance["guess"] < 0.42
    told = measure_associations(clips.assign(sentence=emotions)).set_index("column").loc["sentence"]
    assert told["v"] == pytest.approx(1) and told["information"] == pytest.approx(1) and told["guess"] == 1


def test_association_of_a_table_by_hand():
    counts = pd.DataFrame([[30, 10], [10, 30]])
    # chi² = 20, n = 80: φ² = 0.25 - 1/79; both dimensions corrected to 2 - 1/79.
    assert measure_v(counts) == pytest.approx(np.sqrt((0.25 - 1 / 79) / (1 - 1 / 79)))
    p = np.array([[3, 1], [1, 3]]) / 8
    assert measure_information(counts) == pytest.approx((p * np.log(p / 0.25)).sum() / np.log(2))


def test_a_guess_uses_other_speakers_only():
    own = pd.DataFrame({"speaker": ["a", "a", "b", "b"], "emotion": ["x", "y"] * 2, "sentence": ["1", "2", "3", "4"]})
    assert guess_emotion(own, "sentence") == pytest.approx(0.5)
    assert guess_emotion(own.assign(sentence=["1", "2"] * 2), "sentence") == 1


def test_runs_at_the_extremes():
    assert count_runs(np.array([0, 1, 1, 1, 0, -1, -1, 0, 1, 1, 1, 1])) == 2
    assert count_runs(np.array([1, 1, 1, 0, -1, -1, -1])) == 2
    assert count_runs(np.sin(np.arange(100))) == 0
    assert find_full_scale("PCM_16") == 32767 / 32768 and find_full_scale("PCM_U8") == 127 / 128
    assert find_full_scale("FLOAT") == 1 and Limits().clipped_runs == 3


def test_a_clip_within_a_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", make_voice(0, 2), 16000)
    probe = probe_clip(str(tmp_path / "a.wav"), 0.5, 1.25)
    assert probe.problem == "" and probe.seconds == 0.75 and probe.rate == 16000
    assert "empty" in probe_clip(str(tmp_path / "a.wav"), 3.0, 4.0).problem


@pytest.mark.data("ravdess")
def test_ravdess_has_one_clip_twice(corpus_root, tmp_path, capsys):
    assert main(["check", "dataset=ravdess", f"dataset.root={corpus_root}", f"out={tmp_path}"]) == 0
    record = json.loads((tmp_path / "check.json").read_text())
    assert record["usable"] == 1440 and find(record, "duplicate")["clips"] == [
        "03-01-03-01-02-01-07", "03-01-03-01-02-02-07",
    ]  # fmt: skip
