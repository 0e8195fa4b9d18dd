import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from ser.dataset.table import Table
from ser.errors import InputError

ROWS = [
    ["path", "emotion", "speaker", "gender", "age"],
    ["a/one.wav", "angry", "03", "f", "31"],
    ["a/two.wav", "Sad", "08", "M", ""],
    ["b/three.wav", "neutral", "08", "male", "40"],
]


def write(path, rows=ROWS, delimiter=",", encoding="utf-8"):
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows), encoding=encoding)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_byte_order_marks(tmp_path, delimiter, encoding):
    frame = Table(write(tmp_path / "clips.csv", delimiter=delimiter, encoding=encoding)).load().frame
    assert frame["clip"].tolist() == ["a/one", "a/two", "b/three"]
    assert frame["emotion"].tolist() == ["anger", "sadness", "neutral"]
    assert frame["label"].tolist() == ["angry", "Sad", "neutral"]
    assert frame["gender"].tolist() == ["female", "male", "male"]
    assert frame["speaker"].tolist() == ["03", "08", "08"]
    assert frame["age"].tolist()[0] == 31 and np.isnan(frame["age"][1])
    assert frame["path"].tolist() == [str(tmp_path / path) for path in ("a/one.wav", "a/two.wav", "b/three.wav")]


def test_columns_and_codes_are_mapped(tmp_path):
    rows = [
        ["Datei", "Gefühl", "Wer", "Sex", "Teil"],
        ["eins.wav", "W", "1", "1", "dev"],
        ["zwei.wav", "F", "2", "2", "test"],
    ]
    table = Table(
        write(tmp_path / "clips.csv", rows, ";"),
        columns={"path": "Datei", "emotion": "Gefühl", "speaker": "Wer", "gender": "Sex", "split": "Teil", "age": None},
        values={"emotion": {"W": "anger", "F": "happiness"}, "gender": {1: "female", 2: "male"}},
    )
    frame = table.load().frame
    assert frame["emotion"].tolist() == ["anger", "happiness"] and frame["label"].tolist() == ["W", "F"]
    assert frame["gender"].tolist() == ["female", "male"] and frame["split"].tolist() == ["validation", "test"]


def test_columns_that_are_not_mapped_are_kept(tmp_path):
    rows = [[*row, extra] for row, extra in zip(ROWS, ["intensity", "01", "02", "03"], strict=True)]
    assert Table(write(tmp_path / "clips.csv", rows)).load().frame["intensity"].tolist() == ["01", "02", "03"]


def test_dimensions_are_numbers(tmp_path):
    rows = [[*row, extra] for row, extra in zip(ROWS, ["Act", "0.1", "", "3"], strict=True)]
    table = Table(write(tmp_path / "clips.csv", rows), columns={"arousal": "Act"})
    assert table.load().frame["arousal"].tolist() == pytest.approx([0.1, float("nan"), 3], nan_ok=True)
    rows[1][-1] = "0,1 "
    with pytest.raises(InputError, match=r"(?s)arousal is not a number in 1 rows, e.g. '0,1'.*point"):
        Table(write(tmp_path / "clips.csv", rows, ";"), columns={"arousal": "Act"}).load()


def test_votes_of_raters_are_numbers_under_the_emotions_names(tmp_path):
    votes = ["rated_W,rated_happy,rated_joy,rated_at,n", "3,0.5,1,noon,2", ",,,,1", "0,0,2,,0"]
    rows = [[*row, *extra.split(",")] for row, extra in zip(ROWS, votes, strict=True)]
    path = write(tmp_path / "clips.csv", rows)
    values = {"emotion": {"W": "angry"}}
    frame = Table(path, columns={"rated_neutral": "n"}, values=values).load().frame
    assert frame["rated_anger"].tolist() == pytest.approx([3, float("nan"), 0], nan_ok=True)
    assert frame["rated_happiness"].tolist() == pytest.approx([1.5, float("nan"), 2], nan_ok=True)
    assert frame["rated_neutral"].tolist() == [2, 1, 0] and frame["rated_at"][0] == "noon"
    assert not {"rated_W", "rated_happy", "rated_joy", "n"} & set(frame)
    rows[1][5] = "three"
    with pytest.raises(InputError, match=r"rated_W is no share or number of raters in 1 rows, e.g. 'three'"):
        Table(write(tmp_path / "clips.csv", rows), values=values).load()


def test_a_tsv_may_hold_commas(tmp_path):
    rows = [["path", "emotion", "speaker", "text, as said"], ["a.wav", "sad", "1", "no, no, no"]]
    frame = Table(write(tmp_path / "clips.tsv", rows, "\t")).load().frame
    assert frame["text, as said"].tolist() == ["no, no, no"]


def write_parquet(target, index=None, **columns):
    table = pd.DataFrame({column: [*values] for column, values in columns.items()})
    (table.set_index(index) if index else table).to_parquet(target)
    return target


def test_parquet_keeps_numbers_and_makes_text_of_the_rest(tmp_path):
    path = write_parquet(
        tmp_path / "clips.parquet",
        path=["a.wav", "b.wav"],
        emotion=pd.Categorical(["joy ", "sad"]),
        speaker=[3, 8],
        when=pd.to_datetime(["2020-01-01", "2021-01-01"]),
        sure=[True, False],
        arousal=np.float32([0.5, np.nan]),
        text=[" ja", None],
        age=[31, 40],
    )
    frame = Table(path).load().frame
    assert frame["emotion"].tolist() == ["happiness", "sadness"]
    assert frame["speaker"].tolist() == ["3", "8"] and frame["age"].tolist() == [31, 40]
    assert frame["arousal"].tolist() == pytest.approx([0.5, float("nan")], nan_ok=True)
    assert frame["text"].tolist()[0] == "ja" and frame["text"].isna().tolist() == [False, True]
    assert frame["sure"].tolist() == ["True", "False"] and frame["when"][0].startswith("2020-01-01")
    assert frame["path"].tolist() == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]


def test_the_index_of_a_parquet_table_is_a_column(tmp_path):
    path = write_parquet(tmp_path / "clips.parquet", index="file", file=["a.wav"], emotion=["fear"], speaker=["03"])
    frame = Table(path, columns={"path": "file"}).load().frame
    assert frame[["clip", "speaker"]].to_numpy().tolist() == [["a", "03"]]


def test_what_is_not_a_parquet_table(tmp_path):
    (tmp_path / "clips.parquet").write_text("path,emotion,speaker\na.wav,fear,1\n")
    with pytest.raises(InputError, match=r"(?s)clips.parquet: not a table.*a Parquet file"):
        Table(tmp_path / "clips.parquet").load()


def test_a_column_mapped_over_one_of_the_same_name_wins(tmp_path):
    rows = [
        ["path", "emotion", "consensus", "speaker"],
        ["a.wav", "angry", "sad", "1"],
        ["b.wav", "happy", "fear", "2"],
    ]
    frame = Table(write(tmp_path / "clips.csv", rows), columns={"emotion": "consensus"}).load().frame
    assert frame["emotion"].tolist() == ["sadness", "fear"]


def test_paths_start_from_the_root_given_unless_they_are_absolute(tmp_path):
    rows = [["path", "emotion", "speaker"], ["one.wav", "anger", "1"], [str(tmp_path / "two.wav"), "fear", "2"]]
    frame = Table(write(tmp_path / "clips.csv", rows), root=str(tmp_path / "audio")).load().frame
    assert set(frame["path"]) == {str(tmp_path / "audio" / "one.wav"), str(tmp_path / "two.wav")}


def test_quoted_text_may_hold_the_delimiter(tmp_path):
    rows = [
        ["path", "emotion", "speaker", "text"],
        ["a.wav", "anger", "1", '"Nein, nie"'],
        ["b.wav", "fear", "2", "Ja"],
    ]
    assert Table(write(tmp_path / "clips.csv", rows)).load().frame["text"].tolist() == ["Nein, nie", "Ja"]


def test_stray_spaces_do_not_make_other_speakers(tmp_path):
    rows = [["path", "emotion", "speaker"], ["a.wav", "anger ", "ania "], ["b.wav", " fear", " ania"]]
    manifest = Table(write(tmp_path / "clips.csv", rows)).load()
    assert manifest.emotions == ["anger", "fear"]
    assert manifest.speakers == ["ania"]


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"(?s)dataset.path=.*gone.csv: no such table.*remedy"):
        Table(tmp_path / "gone.csv").load()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81\x00", b'path,emotion\n"a'])
def test_what_is_not_a_table_is_an_input_error(tmp_path, content):
    path = tmp_path / "clips.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"clips.csv|no column"):
        Table(path).load()


def test_a_header_alone_is_an_empty_manifest(tmp_path):
    with pytest.raises(InputError, match="the manifest is empty"):
        Table(write(tmp_path / "clips.csv", ROWS[:1])).load()


def test_a_mapped_column_that_the_table_lacks(tmp_path):
    with pytest.raises(InputError, match=r"(?s)dataset.columns.speaker=actor.*no such column.*path, emotion, speaker"):
        Table(write(tmp_path / "clips.csv"), columns={"speaker": "actor"}).load()


def test_codes_for_a_column_that_the_table_lacks(tmp_path):
    with pytest.raises(InputError, match=r"(?s)dataset.values.session.*no such column"):
        Table(write(tmp_path / "clips.csv"), values={"session": {"1": "one"}}).load()


def test_a_required_column_that_is_nowhere(tmp_path):
    rows = [["path", "emotion"], ["a.wav", "anger"], ["b.wav", "fear"]]
    with pytest.raises(InputError, match=r"(?s)no column speaker.*dataset.columns"):
        Table(write(tmp_path / "clips.csv", rows)).load()


def test_one_clip_listed_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"clip.* is not unique in 2 of 4 rows: a/one"):
        Table(write(tmp_path / "clips.csv", [*ROWS, ROWS[1]])).load()


CONF = Path(__file__).parents[2] / "conf" / "dataset"


@pytest.mark.parametrize("name", ["audformat", "csv", "emozionalmente", "iemocap", "msp_improv", "msp_podcast"])
def test_a_configuration_has_its_class_s_options_and_defaults(name, monkeypatch):
    monkeypatch.setenv("SER_DATA", "/data")
    path = CONF / f"{name}.yaml"
    config = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    target = get_class(config.pop("_target_"))
    options = dict(inspect.signature(target).parameters)
    del options["emotions"]  # in conf/train.yaml, for every choice
    assert set(config) == set(options) and path.read_text().startswith("# ")
    for key in set(options) - {"root", "path", "columns", "values"}:
        assert config[key] == options[key].default
    assert config["root"] == (f"/data/{name}" if name != "csv" else None)
