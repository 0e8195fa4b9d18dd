"""Tables of transcripts, with the times of words where they have them."""

import pandas as pd

from ser.dataset.manifest import Manifest
from ser.dataset.texts import replace_texts


def test_times_of_words_come_with_the_texts(build_frame, tmp_path):
    manifest = Manifest("mine", build_frame(speakers=2, takes=1).drop(columns=["take", "dataset"]))
    clips = manifest.frame["clip"].tolist()
    table = pd.DataFrame({"clip": clips[:2], "text": ["a b", "c"], "words": ['[["a", 0, 1]]', '[["c", 0.1, 0.2]]']})
    table.to_csv(tmp_path / "texts.csv", index=False)
    found = replace_texts(manifest, tmp_path / "texts.csv").frame.set_index("clip")
    assert found.loc[clips[:2], "words"].tolist() == table["words"].tolist()
    assert found.loc[clips[2:], "words"].isna().all() and found.loc[clips[0], "text"] == "a b"
    table.drop(columns="words").to_csv(tmp_path / "plain.csv", index=False)
    assert "words" not in replace_texts(manifest, tmp_path / "plain.csv").frame
