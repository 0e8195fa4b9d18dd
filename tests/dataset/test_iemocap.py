import pytest

from ser.dataset.iemocap import IEMOCAP, INFO
from ser.errors import InputError

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
#: turn, code, numbers, categories of the raters
TURNS = {
    "Ses01F_impro01": [
        (
            "Ses01F_impro01_F000",
            "neu",
            "2.5000, 2.5000, 2.5000",
            ["Neutral state;", "Neutral state;", "Neutral state;"],
        ),
        ("Ses01F_impro01_M003", "ang", "1.5000, 4.0000, 4.5000", ["Anger;", "Anger; Disgust;", "Frustration;"]),
        ("Ses01F_impro01_M004", "xxx", "2.0000, 3.0000, 3.0000", ["Anger;", "Sadness;", "Neutral state;"]),
        ("Ses01F_impro01_F005", "oth", "2.0000, 3.0000, 3.0000", ["Other;", "Other;", "Neutral state;"]),
    ],
    "Ses01F_script01_1": [
        ("Ses01F_script01_1_F001", "exc", "4.5000, 4.0000, 3.0000", ["Excited;", "Happiness;", "Excited; Happiness;"]),
    ],
    "Ses05M_script01_1b": [
        ("Ses05M_script01_1b_F010", "hap", "4.0000, 3.5000, 2.5000", ["Happiness;", "Happiness;", "Surprise;"]),
        ("Ses05M_script01_1b_M011", "dis", "2.0000, 2.5000, 3.5000", ["Disgust;", "Disgust;", "Other;"]),
    ],
}
TEXTS = {
    "Ses01F_impro01": [
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.",
        "Ses01F_impro01_MXX0 [008.0000-008.5000]: Mm-hmm.",
        "M: [LAUGHTER]",
        "Ses01F_impro01_M003 [011.0000-014.5872]: Is there a problem? [sigh]: no.",
    ],
    "Ses05M_script01_1b": ["Ses05M_script01_1b_F010 [001.0000-002.0000]:  I am so glad. "],
}


@pytest.fixture
def corpus(tmp_path, write_tone):
    """IEMOCAP_full_release in miniature.

    Folders after the listing in public documentation of the release (CXianRen/AMST, Doc/dataset/IEMOCAP.md: dialog/
    with avi, EmoEvaluation, lab, transcriptions, wav; sentences/ with ForcedAlignment, wav), label blocks after the
    example printed there (turn line with tabs, a line for each rater: C-E1 to C-E4 listeners with categories, C-F1 the
    actor, A-E3 numbers) and the header line that parsers skip; codes, transcripts with overlaps (FXX0, MXX1) and the
    marker letter after published-systems.md 5.4. EmoEvaluation has folders of its own, and archives made on a Mac
    leave ``._`` files.
    """
    for dialog, turns in TURNS.items():
        session = tmp_path / f"Session{dialog[4]}"
        blocks = []
        for index, (turn, code, numbers, raters) in enumerate(turns):
            write_tone(session / "sentences" / "wav" / dialog / f"{turn}.wav")
            lines = [f"[{index}.2901 - {index}.9357]\t{turn}\t{code}\t[{numbers}]"]
            lines += [f"C-E{rater + 2}:\t{named}\t()" for rater, named in enumerate(raters)]
            lines += ["C-F1:\tSurprise;\t()", "A-E3:\tval 3; act 2; dom  2;\t()", "A-F1:\tval 3; act 2; dom  1;\t()"]
            blocks.append("\n".join(lines) + "\n\n")
        labels = session / "dialog" / "EmoEvaluation"
        (labels / "Categorical").mkdir(parents=True, exist_ok=True)
        (labels / "Categorical" / f"{dialog}_e2_cat.txt").write_text(f"{turns[0][0]} :Anger; ()\n")
        (labels / f"{dialog}.txt").write_text(HEADER + "".join(blocks))
        (labels / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07\xff")
        (session / "sentences" / "wav" / dialog / f"._{turns[0][0]}.wav").write_bytes(b"\x00\x05")
        (session / "dialog" / "wav").mkdir(exist_ok=True)
        (session / "dialog" / "wav" / f"{dialog}.wav").touch()
        if dialog in TEXTS:
            (session / "dialog" / "transcriptions").mkdir(exist_ok=True)
            (session / "dialog" / "transcriptions" / f"{dialog}.txt").write_text("\n".join(TEXTS[dialog]) + "\n")
    return tmp_path


def test_every_column(corpus):
    frame = IEMOCAP(corpus).load().frame
    columns = ["clip", "emotion", "label", "speaker", "gender", "session", "style", "dialog"]
    assert frame[columns].to_numpy().tolist() == [
        ["Ses01F_impro01_F000", "neutral", "neu", "Ses01F", "female", "1", "improvised", "impro01"],
        ["Ses01F_impro01_M003", "anger", "ang", "Ses01M", "male", "1", "improvised", "impro01"],
        ["Ses01F_script01_1_F001", "excitement", "exc", "Ses01F", "female", "1", "scripted", "script01_1"],
        ["Ses05M_script01_1b_F010", "happiness", "hap", "Ses05F", "female", "5", "scripted", "script01_1b"],
        ["Ses05M_script01_1b_M011", "disgust", "dis", "Ses05M", "male", "5", "scripted", "script01_1b"],
    ]
    assert frame[["valence", "arousal", "dominance"]].to_numpy().tolist()[1] == [1.5, 4.0, 4.5]
    assert frame["path"][1] == str(corpus / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav")
    assert set(frame["language"]) == {"en"} and frame["sentence"].isna().all() and frame["start"].isna().all()


def test_who_wears_the_markers_does_not_say_who_speaks(corpus):
    frame = IEMOCAP(corpus).load().frame.set_index("clip")
    assert frame.loc["Ses01F_impro01_M003", ["speaker", "gender"]].tolist() == ["Ses01M", "male"]
    assert frame.loc["Ses05M_script01_1b_F010", ["speaker", "gender"]].tolist() == ["Ses05F", "female"]


def test_transcripts_without_overlaps(corpus):
    frame = IEMOCAP(corpus).load().frame.set_index("clip")
    assert frame["text"].dropna().to_dict() == {
        "Ses01F_impro01_F000": "Excuse me.",
        "Ses01F_impro01_M003": "Is there a problem? [sigh]: no.",
        "Ses05M_script01_1b_F010": "I am so glad.",
    }


def test_votes_are_the_listeners_only(corpus):
    frame = IEMOCAP(corpus).load().frame.set_index("clip")
    rated = frame[[column for column in frame if column.startswith("rated_")]]
    assert rated.shape[1] == 10 and rated.sum(axis=1).tolist() == pytest.approx([1] * 5)
    angry = rated.loc["Ses01F_impro01_M003"]
    assert angry[angry > 0].to_dict() == pytest.approx(
        {"rated_anger": 1.5 / 3, "rated_disgust": 0.5 / 3, "rated_frustration": 1 / 3}
    )
    assert rated.loc["Ses05M_script01_1b_M011", "rated_other"] == pytest.approx(1 / 3)


def test_codes_that_are_no_emotion_are_counted(corpus):
    note = "iemocap: 2 clips whose label names no emotion in use were left out (oth 1, xxx 1)"
    assert note in IEMOCAP(corpus).load().notes


def test_a_partial_copy_is_told(corpus):
    (corpus / "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_M011.wav").unlink()
    (corpus / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F099.wav").touch()
    notes = IEMOCAP(corpus, style="scripted").load().notes
    assert "4 of the published 7529 clips (emotions: anger 1 of 1103, disgust 0 of 2, exc" in notes[0]
    assert "speakers: 3 of 10" in notes[0]
    assert notes[1:3] == (
        "iemocap: 1 of 7 labelled clips have no audio here and were left out",
        "iemocap: 1 audio files have no label and were left out",
    )


def test_the_published_counts():
    four = sum(INFO.emotions[emotion] for emotion in ("anger", "excitement", "happiness", "neutral", "sadness"))
    assert four == 5531 and INFO.clips == 10039 - 2512 + 2


@pytest.mark.parametrize(("style", "count"), [("all", 5), ("improvised", 2), ("scripted", 3)])
def test_styles(corpus, style, count):
    frame = IEMOCAP(corpus, style=style).load().frame
    assert len(frame) == count and (style == "all" or set(frame["style"]) == {style})


def test_the_four_classes(corpus):
    four = IEMOCAP(corpus, excited="happiness", emotions=["anger", "happiness", "neutral"]).load().frame
    assert four["label"].tolist() == ["neu", "ang", "exc", "hap"]
    assert four["emotion"].tolist() == ["neutral", "anger", "happiness", "happiness"]
    assert four["rated_happiness"].tolist() == pytest.approx([0, 0, 1, 2 / 3]) and "rated_excitement" not in four


def test_one_folder_deeper(corpus, tmp_path_factory):
    top = tmp_path_factory.mktemp("top")
    corpus.rename(top / "IEMOCAP_full_release")
    assert len(IEMOCAP(top).load()) == 5


@pytest.mark.parametrize(("option", "value"), [("style", "spontaneous"), ("excited", "anger")])
def test_choices_that_do_not_exist(option, value):
    with pytest.raises(InputError, match=rf"(?s)dataset.{option}={value}.*expected"):
        IEMOCAP("anywhere", **{option: value})


def test_wrong_folders(tmp_path, corpus):
    with pytest.raises(InputError, match="no such folder"):
        IEMOCAP(tmp_path / "nowhere").load()
    with pytest.raises(InputError, match=r"(?s)no labels of iemocap.*EmoEvaluation/Ses\*.txt; found dialog, sentences"):
        IEMOCAP(corpus / "Session1").load()
    for path in corpus.rglob("sentences/wav/*/*.wav"):
        path.unlink()
    with pytest.raises(InputError, match=r"none of the 7 labelled clips of iemocap has audio"):
        IEMOCAP(corpus).load()
    for path in corpus.glob("Session*/dialog/EmoEvaluation/*.txt"):
        path.write_text(HEADER)
    with pytest.raises(InputError, match=r"(?s)no turn in 3 label files.*Ses01F_impro01_F000 neu"):
        IEMOCAP(corpus).load()
