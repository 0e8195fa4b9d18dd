"""Figures: drawn from what there is, with the right numbers in the right places, the same bytes every time."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from statistics_tools import ARCHS, SPEAKERS, make_contrast, make_mean, make_ranks, make_rows, make_statistics

from ser.statistics.anova import fit_ols
from ser.statistics.figures import draw_figures, write_figures
from ser.statistics.figures.components import LOGISTIC, list_shares
from ser.statistics.figures.contrasts import draw_contrasts, find_sesoi, group_contrasts
from ser.statistics.figures.fitted import add_residuals, predict_groups
from ser.statistics.figures.means import draw_means, find_points, plan_panels, tabulate_means
from ser.statistics.figures.ranks import draw_ranks
from ser.statistics.figures.residuals import MOST_POINTS, draw_residuals, thin_places
from ser.statistics.figures.speakers import find_differences, find_range_without_one, subtract_levels
from ser.statistics.figures.style import PAGE, PRINT, use_palette
from ser.statistics.mixed import fit_mixed
from ser.statistics.records import to_json

EMPTY = pd.DataFrame()


def draw(function, statistics, rows=EMPTY, palette=PRINT):
    with use_palette(palette, "test"):
        return function(to_json(statistics), rows, palette)


def read_texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_every_figure_is_drawn_for_the_page_in_its_colours():
    found = draw_figures(make_statistics() | make_ranks() | {"design": make_statistics()["design"]}, make_rows())
    assert list(found) == ["means", "contrasts", "speakers", "components", "ranks", "residuals"]
    for svg in found.values():
        assert svg.startswith('<svg role="img"') and "var(--" in svg and "<?xml" not in svg
        assert not re.search(r"#0[1-5]0[1-5]0[1-6]", svg)  # a stand-in that no colour of the page replaced


def test_files_are_png_and_svg_on_white_and_the_same_again(tmp_path):
    written = write_figures(tmp_path, make_statistics(), make_rows())
    names = {path.name for path in written}
    assert names == {
        f"{name}{suffix}"
        for name, suffix in product(("means", "contrasts", "speakers", "components", "residuals"), (".png", ".svg"))
    }
    first = {path: path.read_bytes() for path in written}
    write_figures(tmp_path, make_statistics(), make_rows())
    assert all(path.read_bytes() == content for path, content in first.items())
    from PIL import Image

    with Image.open(tmp_path / "figures" / "means.png") as image:
        assert image.width == 2000 and round(image.info["dpi"][0]) == 200
        assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    svg = (tmp_path / "figures" / "means.svg").read_text()
    assert "var(--" not in svg and PRINT.series[0] in svg and PAGE.series[0] not in svg


def test_figures_that_no_data_make_are_left_out(tmp_path):
    statistics = make_statistics()
    assert list(draw_figures(statistics)) == ["means", "contrasts", "components"]
    write_figures(tmp_path, statistics, make_rows())
    assert write_figures(tmp_path, {"design": statistics["design"]}, make_rows()[["uar"]]) == []
    assert list((tmp_path / "figures").iterdir()) == []
    assert draw_figures({"conclusion": ["Nothing was tested."]}) == {}


# ---- means


def test_means_of_the_interaction_stand_where_they_belong():
    figure = draw(draw_means, make_statistics(), make_rows())
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(ARCHS) and axes.get_xlabel() == "arch"
    means = {
        tuple(row["levels"].values()): row["mean"] for row in make_statistics()["means"] if len(row["levels"]) == 2
    }
    drawn = [container.lines[0] for container in axes.containers]
    for place, aug in enumerate(("none", "noise")):
        assert drawn[place].get_ydata().tolist() == [means[arch, aug] for arch in ARCHS]
    limits = axes.containers[0].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(limits, [0.68, 0.72])


def test_dots_are_speakers_averaged_over_their_models():
    statistics, rows = to_json(make_statistics()), make_rows()
    points = find_points(statistics, rows)
    assert len(points) == 4 * len(SPEAKERS)
    own = rows[(rows["arch"] == "cnn") & (rows["aug"] == "none") & (rows["speaker"] == "00")]
    assert points.set_index(["arch", "aug", "speaker"]).loc[("cnn", "none", "00"), "score"] == own["uar"].mean()
    runs = rows.drop(columns="speaker")
    assert len(find_points(statistics, runs)) == len(rows)
    assert find_points(statistics, pd.concat([runs] * 100)).empty


def test_the_largest_interaction_of_three_factors_at_most_is_drawn():
    levels = [dict(zip("abcd", cell, strict=True)) for cell in product(("1", "2", "3"), "xy", "xy", "xy")]
    four = [make_mean(cell, 0.5) for cell in levels]
    three = [make_mean({name: cell[name] for name in "abc"}, 0.5) for cell in levels]
    panels = plan_panels(tabulate_means(four + three))
    assert [(plan.along, plan.lines, title) for plan, _, title in panels] == [("a", "b", "c: x"), ("a", "b", "c: y")]
    assert plan_panels(tabulate_means(four)) == []
    single = plan_panels(tabulate_means([make_mean({"a": level}, 0.5) for level in "12"]))
    assert [(plan.along, plan.lines) for plan, _, _ in single] == [("a", "")]


def test_means_of_a_logit_model_are_probabilities():
    row = make_mean({"arch": "cnn"}, 0.85) | {"response": 0.7, "response_low": 0.59, "response_high": 0.79}
    table = tabulate_means([row, row | {"levels": {"arch": "wav_2"}, "response": 0.6}])[0]
    assert table["mean"].tolist() == [0.7, 0.6] and table["low"].tolist() == [0.59, 0.59]


# ---- contrasts


def test_forest_plot_shows_intervals_outcomes_and_the_band():
    figure = draw(draw_contrasts, make_statistics())
    axes = figure.axes[0]
    texts = read_texts(figure)
    assert {"arch", "aug", "cnn - wav_2", "noise - none in arch=cnn", "sensitive", "inconclusive"} <= set(texts)
    assert "-0.050  [-0.077, -0.023]" in texts and "too small to matter: ±0.02" in texts
    band = [patch for patch in axes.patches if patch.get_width() == pytest.approx(0.04)]
    assert len(band) == 1 and axes.get_xlim()[0] < -0.077
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["primary model", "model of runs"]  # log odds are no differences of UAR


def test_contrasts_of_other_models_are_matched_by_what_they_compare():
    statistics = to_json(make_statistics())
    line = group_contrasts(statistics)["arch"][0]
    assert [row["estimate"] for row in line.rows] == [-0.05, -0.04]
    assert len(group_contrasts(statistics)["aug"][0].rows) == 1
    assert find_sesoi({"method": {"sesoi": 0.03}}) == 0.03 and find_sesoi({"method": "mixed"}) is None


def test_a_forest_of_log_odds_has_no_band():
    row = make_contrast("arch", "cnn - wav_2", -0.7, effect_kind="odds_ratio")
    figure = draw(draw_contrasts, make_statistics() | {"contrasts": [row]})
    assert not figure.axes[0].patches and figure.axes[0].get_xlabel() == "difference in log odds of UAR"


def test_of_many_contrasts_the_largest_are_drawn():
    rows = [make_contrast("arch", f"{place} - x", 0.001 * place) for place in range(60)]
    lines = group_contrasts(to_json({"contrasts": [*rows, make_contrast("arch", "lost", float("nan"))]}))["arch"]
    assert [line.rows[0]["contrast"] for line in lines] == [f"{place} - x" for place in range(20, 60)]


# ---- speakers


def test_differences_on_speakers_are_those_of_the_rows():
    rows = make_rows(effect=0.05)
    panels = find_differences(to_json(make_statistics()), rows)
    assert [panel.title for panel in panels] == ["cnn - wav_2"]
    means = rows.pivot_table(index="speaker", columns="arch", values="uar")
    expected = (means["cnn"] - means["wav_2"]).sort_values()
    np.testing.assert_allclose(panels[0].speakers, expected)
    assert list(panels[0].speakers.index) == list(expected.index)


def test_conditions_of_other_factors_weigh_alike():
    rows = [("cnn", "none", 0.5), *([("cnn", "noise", 0.9)] * 9), ("wav_2", "none", 0.4), ("wav_2", "noise", 0.4)]
    table = pd.DataFrame(rows, columns=["arch", "aug", "uar"]).assign(speaker="s1")
    assert subtract_levels(table, "uar", ["arch", "aug"], "arch", "cnn", "wav_2").tolist() == pytest.approx([0.3])
    assert len(subtract_levels(table, "uar", ["arch", "aug"], "arch", "cnn", "hubert")) == 0


def test_the_range_without_one_speaker():
    assert find_range_without_one(np.array([0.0, 0.0, 0.3])) == (0.0, 0.15)


def test_speakers_of_two_corpora_have_no_difference_between_them():
    rows = make_rows().assign(test_corpus=lambda table: np.where(table["speaker"] < "03", "emodb", "emovo"))
    statistics = make_statistics()
    statistics["design"]["factors"] = [{"name": "test_corpus", "levels": ["emodb", "emovo"]}]
    statistics["contrasts"] = [make_contrast("test_corpus", "emodb - emovo", 0.1)]
    assert find_differences(to_json(statistics), rows) == []


# ---- components, ranks, residuals


def test_shares_of_the_variance():
    shares = list_shares(make_statistics()["mixed"])
    assert [(name, at_zero) for name, _, _, at_zero in shares] == [
        ("speaker", False),
        ("speaker:arch", True),
        ("residual", False),
    ]
    assert [share for _, share, _, _ in shares] == pytest.approx([0.36, 0.0, 0.64])
    logit = {"family": "binomial", "random": [{"group": "speaker", "term": "(Intercept)", "sd": 1.0}]}
    assert list_shares(logit)[0][1] == pytest.approx(1 / (1 + LOGISTIC))
    slope = {
        "random": [
            {"group": "speaker", "term": "days", "sd": 5.0},
            {"group": "residual", "term": "(Intercept)", "sd": 1.0},
        ]
    }
    assert [share[0] for share in list_shares(slope)] == ["residual"]


def test_rank_diagram_places_models_and_marks_members_of_groups():
    figure = draw(draw_ranks, make_ranks())
    axes = figure.axes[0]
    assert {"wavlm  1.50", "hubert  1.75", "3.00  cnn", "3.75  whisper"} <= set(read_texts(figure))
    assert "critical difference 1.35 (Nemenyi)" in read_texts(figure)
    dots = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) == 2]
    assert dots == [[1.5, 1.75], [3.0, 3.75]]
    assert draw(draw_ranks, {"ranks": {"mean_rank": {"cnn": 1.0}}}) is None


def test_residuals_of_a_long_table_are_thinned():
    assert thin_places(3).tolist() == [0, 1, 2]
    places = thin_places(30_000)
    assert len(places) == MOST_POINTS and places[0] == 0 and places[-1] == 29_999
    rows = pd.DataFrame({"fitted": np.linspace(0, 1, 50), "residual": np.random.default_rng(1).normal(size=50)})
    assert draw(draw_residuals, {"design": {"response": "uar"}}, rows).axes[1].get_xlabel() == "fitted UAR"
    assert draw(draw_residuals, {"design": {"response": "uar"}}, rows.assign(residual=0.0)) is None


def test_predicted_effects_are_best_linear_unbiased():
    rng = np.random.default_rng(3)
    one, two = rng.integers(0, 5, 60), rng.integers(0, 4, 60)
    residuals, weights = rng.normal(size=60), rng.uniform(0.5, 2, 60)
    ratios = {"one": 0.7, "two": 0.2}
    design = {"one": np.eye(5)[one], "two": np.eye(4)[two]}
    spread = sum(ratios[name] * design[name] @ design[name].T for name in ratios)
    expected = spread @ np.linalg.solve(spread + np.diag(1 / weights), residuals)
    np.testing.assert_allclose(predict_groups(residuals, {"one": one, "two": two}, ratios, weights), expected)


def test_residuals_of_models():
    rows = make_rows()[["arch", "aug", "speaker", "uar"]]
    ols = fit_ols(rows, "uar", ["arch", "aug"])
    np.testing.assert_allclose(add_residuals(rows, ols)["residual"], ols.residuals)
    mixed = fit_mixed(rows, "uar", ["arch", "aug"], ["speaker"])
    found = add_residuals(rows, mixed)
    np.testing.assert_allclose(found["fitted"] + found["residual"], rows["uar"])
    sd = next(row["sd"] for row in mixed.random if row["group"] == "residual")
    assert found["residual"].std() == pytest.approx(sd, rel=0.15)
    assert abs(found.groupby("speaker")["residual"].mean()).max() < 0.2 * sd  # speakers' levels are no error
    assert "residual" not in add_residuals(rows, None)
    assert "residual" not in add_residuals(rows.iloc[1:], ols)
