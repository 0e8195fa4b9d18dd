import math
import sys

import audformat
import pandas as pd
import pytest

from ser.dataset.audformat import Audformat
from ser.errors import InputError

FILES = [f"wav/{name}.wav" for name in ("03a01Fa", "03a01Wa", "08a01Na", "08a02Ta")]
EMOTIONS = ["joy", "anger", "neutral", None]


def add(database, table, index, split=None, **columns):
    """A table; ``column=(values, scheme)``."""
    database[table] = audformat.Table(index, split_id=split)
    for column, (values, scheme) in columns.items():
        database[table][column] = audformat.Column(scheme_id=scheme)
        database[table][column].set(values)


def build(misc=False):
    """A database in the shape of the emodb release on audb, built by audformat itself (its documentation's example).

    ``emotion`` holds the classes by file, ``files`` the speakers; the scheme of speakers says their sex and age, in a
    dictionary or (``misc``) in a table of its own.
    """
    database = audformat.Database("mini", languages=["de"])
    database.splits["develop"] = audformat.Split("dev")
    database.splits["rest"] = audformat.Split("other")
    labels = {"joy": {"original": "F"}, "anger": {"original": "W"}, "neutral": {"original": "N"}}
    database.schemes["emotion"] = audformat.Scheme("str", labels=labels)
    people = {"03": {"gender": "male", "age": 31}, "08": {"gender": "female", "age": 34}}
    if misc:
        database["people"] = audformat.MiscTable(pd.Index([*people], name="speaker", dtype="string"))
        for column in ("gender", "age"):
            database["people"][column] = audformat.Column()
            database["people"][column].set([person[column] for person in people.values()])
        people = "people"
    database.schemes["speaker"] = audformat.Scheme("str", labels=people)
    database.schemes["dimension"] = audformat.Scheme("float")
    index = audformat.filewise_index(FILES)
    add(database, "emotion", index, emotion=(EMOTIONS, "emotion"), arousal=([0.5, 1, None, 0], "dimension"))
    add(database, "files", index[::-1], speaker=(["08", "08", "03", "03"], "speaker"), take=([*"dcba"], None))
    return database


def save(database, folder, write_tone, storage="csv", files=FILES):
    database.save(str(folder), storage_format=storage)
    for file in files:
        write_tone(folder / file)
    return folder


@pytest.mark.parametrize("storage", ["csv", "parquet"])
@pytest.mark.parametrize("misc", [False, True])
def test_filewise_with_speakers_in_another_table(tmp_path, write_tone, storage, misc):
    manifest = Audformat(save(build(misc), tmp_path, write_tone, storage)).load()
    frame = manifest.frame
    columns = ["clip", "emotion", "label", "speaker", "gender", "age", "language"]
    assert frame[columns].to_numpy().tolist() == [
        ["wav/03a01Fa", "happiness", "joy", "03", "male", 31, "de"],
        ["wav/03a01Wa", "anger", "anger", "03", "male", 31, "de"],
        ["wav/08a01Na", "neutral", "neutral", "08", "female", 34, "de"],
    ]
    assert frame["arousal"].tolist()[:2] == [0.5, 1] and math.isnan(frame["arousal"][2])
    assert frame["path"].tolist() == [str(tmp_path / file) for file in FILES[:3]]
    assert frame["start"].isna().all() and frame["split"].isna().all()
    assert manifest.notes == ("audformat: 1 clips without an emotion were left out",)


@pytest.fixture
def segmented(tmp_path, write_tone):
    """Segments of two recordings with their own split, and speakers by segment in a second table."""
    database = build()
    index = audformat.segmented_index(
        [FILES[0], FILES[0], FILES[2]], ["0s", "500ms", "0s"], ["500ms", "1250ms", pd.NaT]
    )
    add(database, "segments", index, "develop", feeling=(["happy", "sad", "neu"], None), gender=([*"fmf"], None))
    add(database, "turns", index[[2, 0, 1]], who=(["c", "a", "b"], None))
    return save(database, tmp_path, write_tone)


def test_segmented(segmented):
    columns = {"emotion": "feeling", "speaker": "who"}
    frame = Audformat(segmented, "segments", columns=columns).load().frame
    assert frame["clip"].tolist() == ["wav/03a01Fa_0.000-0.500", "wav/03a01Fa_0.500-1.250", "wav/08a01Na_0.000"]
    assert frame["start"].tolist() == [0, 0.5, 0]
    assert frame["end"].tolist() == pytest.approx([0.5, 1.25, math.nan], nan_ok=True)
    assert frame["emotion"].tolist() == ["happiness", "sadness", "neutral"]
    assert frame["speaker"].tolist() == ["a", "b", "c"] and frame["gender"].tolist() == ["female", "male", "female"]
    assert set(frame["split"]) == {"validation"}


def test_speakers_of_files_hold_for_their_segments(segmented):
    frame = Audformat(segmented, columns={"emotion": "feeling"}).load().frame
    assert frame["speaker"].tolist() == ["03", "03", "08"] and frame["age"].tolist() == [31, 31, 34]


def test_segments_say_nothing_of_whole_files(segmented):
    with pytest.raises(InputError, match=r"dataset.columns.speaker=who: no such column"):
        Audformat(segmented, "emotion", columns={"speaker": "who"}).load()


@pytest.fixture
def divided(tmp_path, write_tone):
    """Tables named as nkululeko's converter of Emozionalmente names them."""
    database = build()
    database.splits["train"] = audformat.Split("train")
    for part, files in {"train": FILES[:2], "dev": FILES[2:3], "test": FILES[3:]}.items():
        index = audformat.filewise_index(files)
        emotions = (["anger"] * len(files), "emotion")
        own = "train" if part == "train" else "rest"
        add(database, f"emotion.categories.{part}.gold_standard", index, own, emotion=emotions)
    return save(database, tmp_path, write_tone)


NAME = "emotion.categories.{}.gold_standard".format


def test_splits_by_table(divided):
    splits = {"train": NAME("train"), "dev": [NAME("dev")], "test": [NAME("test")]}
    frame = Audformat(divided, splits=splits).load().frame
    assert frame["split"].tolist() == ["train", "train", "validation", "test"]


def test_tables_with_splits_of_their_own(divided):
    frame = Audformat(divided, [NAME("train"), NAME("dev")]).load().frame
    assert frame["split"].fillna("-").tolist() == ["train", "train", "-"]


def test_several_tables_must_be_chosen_from(divided):
    with pytest.raises(
        InputError, match=r"(?s)has 4 tables with a column 'emotion'.*one or more of emotion, emotion.c"
    ):
        Audformat(divided).load()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tables": "feelings"}, r"(?s)no table 'feelings'.*emotion, files"),
        ({"tables": "files"}, r"(?s)dataset.columns.emotion=emotion: no such column in table 'files'.*speaker, take"),
        ({"columns": {"emotion": "mood"}}, r"(?s)no tables with a column 'mood'.*emotion.emotion, emotion.arousal"),
        ({"columns": {"speaker": "actor"}}, r"(?s)columns.speaker=actor: no such column.*files.speaker"),
        ({"columns": {"text": "words"}}, r"(?s)columns.text=words: no such column, and no attribute.*files.take"),
        ({"splits": {"eval": "emotion"}}, r"(?s)dataset.splits.eval: no such part.*train, validation, test"),
        ({"emotions": ["joy"]}, r"'joy' does not occur"),
    ],
)
def test_names_that_do_not_exist(tmp_path, write_tone, options, message):
    with pytest.raises(InputError, match=message):
        Audformat(save(build(), tmp_path, write_tone), **options).load()


def test_columns_and_codes_are_mapped(tmp_path, write_tone):
    columns = {"session": "take", "gender": None}
    values = {"emotion": {"joy": "excitement"}, "session": {"a": "one"}}
    frame = Audformat(save(build(), tmp_path, write_tone), columns=columns, values=values).load().frame
    assert frame["session"].tolist() == ["one", "b", "c"] and frame["emotion"][0] == "excitement"
    assert frame["gender"].tolist() == ["male", "male", "female"]


def test_pickles_are_read_on_request_only(tmp_path, write_tone):
    save(build(), tmp_path, write_tone, "pkl")
    with pytest.raises(InputError, match=r"(?s)db.emotion.pkl is a pickle, which runs.*dataset.pickles=true"):
        Audformat(tmp_path).load()
    assert len(Audformat(tmp_path, pickles=True).load()) == 3


def test_missing_media_are_told(tmp_path, write_tone):
    save(build(), tmp_path, write_tone, files=FILES[:2])
    notes = Audformat(tmp_path).load().notes
    assert notes[-1] == "audformat: 1 of 3 clips have no audio here and were left out"
    for file in FILES[:2]:
        (tmp_path / file).unlink()
    with pytest.raises(InputError, match=r"(?s)none of the 3 clips has audio.*wav/03a01Fa.wav"):
        Audformat(tmp_path).load()


def test_wrong_folders(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Audformat(tmp_path / "nowhere").load()
    (tmp_path / "table.csv").touch()
    with pytest.raises(InputError, match=r"(?s)no labels of audformat.*db.yaml; found table.csv"):
        Audformat(tmp_path).load()


@pytest.mark.parametrize("text", ["a: [", "name: x\n", "- 1\n", ""])
def test_a_header_that_is_none(tmp_path, text):
    (tmp_path / "db.yaml").write_text(text)
    with pytest.raises(InputError, match=r"db.yaml: not the header of an audformat database|no tables"):
        Audformat(tmp_path).load()


def test_a_table_that_is_not_there(tmp_path, write_tone):
    (save(build(), tmp_path, write_tone) / "db.files.csv").unlink()
    with pytest.raises(InputError, match=r"(?s)db.yaml: a table cannot be read.*No file found.*db.files"):
        Audformat(tmp_path).load()


def test_a_language_without_a_short_code(tmp_path, write_tone):
    database = build()
    database.languages = ["nds"]
    assert set(Audformat(save(database, tmp_path, write_tone)).load().frame["language"]) == {"nds"}


def test_without_the_extra(tmp_path, monkeypatch):
    (tmp_path / "db.yaml").touch()
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(InputError, match=r"^dataset=audformat needs an extra: pip install 'ser\[audformat\]'$"):
        Audformat(tmp_path).load()
