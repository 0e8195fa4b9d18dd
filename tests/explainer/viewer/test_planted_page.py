"""The page of planted clips: scores against the truth, beside chance and the best there can be."""

import re

import numpy as np
import pandas as pd
from viewer_tools import make_clip

from ser.explainer.viewer import write_viewer


def test_planted_scores_stand_beside_chance_and_ideal(tmp_path):
    rows = [
        ("cue_sign", "cues: sign", "lrp", 0.8, 0.7, 0.9, 0.5, 1.0),
        ("cue_sign", "cues: sign", "random", 0.5, np.nan, np.nan, 0.6, 1.0),
        ("decoy", "decoy <enrichment>", "lrp", 0.3, -0.1, 0.5, 1.0, 0.0),
    ]
    names = ["metric", "title", "method", "mean", "ci_low", "ci_high", "chance", "ideal"]
    path = write_viewer(tmp_path / "page.html", "Clips", [make_clip()], planted=pd.DataFrame(rows, columns=names))
    page = path.read_text(encoding="utf-8")
    table = page[page.index('<details id="planted"') : page.index("</details>")]
    cells = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr>.*?</tr>", table)[1:]]
    assert cells == [
        ["cues: sign", "0.80 (0.70–0.90)", "0.50", "0.50–0.60", "1.00"],
        ["decoy &lt;enrichment&gt;", "0.30 (-0.10 to 0.50)", "", "1.00", "0.00"],
    ]
    plain = write_viewer(tmp_path / "plain.html", "Clips", [make_clip()]).read_text(encoding="utf-8")
    assert 'id="planted"' not in plain
