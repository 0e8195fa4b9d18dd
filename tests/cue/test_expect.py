import numpy as np
import pytest

from ser.cue.cues import CUE_NAMES
from ser.cue.expect import ACTED, read_table, weigh_sources
from ser.cue.reliability import read_reliability
from ser.errors import InputError

HEAD = "name: mine\nsources: {A: a paper}\ncues: {f0_mean: mean F0}\nrows:\n"
ROW = {"emotion": "anger", "cue": "f0_mean", "direction": 1, "weight": 0.5}


def write(folder, **changes):
    cells = ", ".join(f"{key}: {value}" for key, value in (ROW | changes).items())
    path = folder / "mine.yaml"
    path.write_text(HEAD + f"  - {{{cells}}}\n")
    return path


def test_the_shipped_table_is_whole_and_keeps_its_rule():
    table = read_table()
    variants = {(row.emotion, row.variant) for row in table.rows}
    assert len(table.rows) == len(variants) * len(table.cues)
    assert set(ACTED.items()) <= variants
    assert {("anger", "cold"), ("fear", "anxiety"), ("sadness", "despair"), ("happiness", "contented")} <= variants
    for row in table.rows:
        assert row.weight == weigh_sources(row.direction, row.sources), row
        assert row.sources or not row.weight, row


@pytest.mark.parametrize(
    ("emotion", "cue", "sign", "weight"),
    [
        ("anger", "f0_mean", 1, 1.0),
        ("sadness", "pauses", 1, 0.7),
        ("fear", "loudness_mean", 0, 0.0),
        ("disgust", "rate", -1, 0.5),
        ("boredom", "f0_range", -1, 0.7),
        ("calm", "jitter", -1, 0.5),
        ("anger", "shimmer", 1, 0.25),
    ],
)
def test_cells(emotion, cue, sign, weight):
    cell = read_table().find(emotion, cue)
    assert (cell.sign, cell.weight) == (sign, weight)


def test_quiet_sadness_lowers_what_despair_raises():
    table = read_table()
    assert table.find("sadness", "f0_mean").sign == -1
    assert table.find("sadness", "f0_mean", "despair").sign == 1


def test_weights_share_a_cue_among_its_measures_and_trust_the_meter():
    signs, weights = read_table().weigh(["anger", "neutral"], read_reliability("opensmile"))
    anger = dict(zip(CUE_NAMES, zip(signs[0], weights[0], strict=True), strict=True))
    assert anger["f1"][1] == anger["f1_bandwidth"][1] == 0
    assert anger["hammarberg"][0] == -1
    assert anger["alpha_ratio"][0] == 1
    measures = ("alpha_ratio", "hammarberg", "slope_low", "slope_mid", "centroid", "high_share")
    assert sum(anger[name][1] for name in measures) <= 1.0
    assert not weights[1].any()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"emotion": "angr"}, "row 1: emotion 'angr'"),
        ({"cue": "f0"}, "row 1: cue 'f0'"),
        ({"direction": 3}, "row 1: direction 3"),
        ({"direction": "up"}, "row 1: direction 'up'"),
        ({"weight": 2}, "row 1: weight 2"),
        ({"sources": "{B: read}"}, "row 1: source 'B'"),
        ({"sources": "{A: guessed}"}, "status of A 'guessed'"),
        ({"wieght": 1}, "row 1"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, changes, said):
    path = write(tmp_path, **changes)
    with pytest.raises(InputError) as error:
        read_table(str(path))
    assert said in str(error.value)
    assert "mine.yaml" in str(error.value)


def test_ones_own_table_is_read(tmp_path):
    table = read_table(str(write(tmp_path, sources="{A: read}")))
    assert table.find("anger", "f0_mean", "any").sources == {"A": "read"}
    with pytest.raises(InputError, match="does not exist"):
        read_table(str(tmp_path / "none.yaml"))
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="no expert table"):
        read_table(str(tmp_path / "list.yaml"))


def test_a_cell_given_twice_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    with pytest.raises(InputError, match="same cell"):
        read_table(str(path))


def test_reliabilities_name_every_cue():
    for meter in ("numpy", "opensmile", "praat"):
        assert set(read_reliability(meter)) == set(CUE_NAMES)
    assert read_reliability("opensmile")["f1"] == 0
    assert np.isclose(read_reliability("numpy")["f1"], 1, atol=0.1)
