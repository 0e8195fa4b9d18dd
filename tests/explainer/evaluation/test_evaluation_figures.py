import numpy as np
import pandas as pd
import pytest

from ser.explainer.evaluation.figures import draw_pareto, draw_scores, find_front, order_methods, write_figures


def make_table(metrics=("insertion_deletion", "random_weights", "seconds"), methods=("lrp", "ig", "random", "best")):
    rows = [
        {"method": method, "metric": metric, "subset": subset, "mean": 1.0 + n, "ci_low": n, "ci_high": n + 1.5}
        for n, method in enumerate(methods)
        for metric in metrics
        for subset in ("all", "correct")
        if not (method == "best" and metric == "seconds")
    ]
    return pd.DataFrame(rows)


def test_explainers_come_from_the_most_faithful_down_and_nulls_last():
    for metrics in (("insertion_deletion",), ("loc_auroc",)):
        rows = make_table(metrics)
        assert order_methods(rows[rows["subset"] == "all"]) == ["ig", "lrp", "random"]


def test_a_panel_a_metric_with_a_row_an_explainer():
    figure = draw_scores(make_table())
    titles = [axes.get_title("left") for axes in figure.axes if axes.get_visible()]
    assert titles == ["insertion − deletion  →", "random weights: |ρ|  ←"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["ig", "lrp", "random"]


def test_missing_intervals_and_methods_are_no_trouble(tmp_path):
    table = make_table()
    table.loc[0, ["ci_low", "ci_high"]] = np.nan
    table = table[~((table["method"] == "ig") & (table["metric"] == "random_weights"))]
    written = write_figures(tmp_path, table)
    assert [path.name for path in written] == ["explainers.png", "explainers.svg", "pareto.png", "pareto.svg"]
    assert all(path.stat().st_size > 2000 for path in written)


def test_figures_of_the_same_table_are_the_same(tmp_path):
    first = {path.name: path.read_bytes() for path in write_figures(tmp_path / "a", make_table())}
    again = {path.name: path.read_bytes() for path in write_figures(tmp_path / "b", make_table())}
    assert first == again


def test_nothing_to_draw():
    assert draw_scores(make_table(metrics=("unheard_of",))) is None
    assert draw_pareto(make_table(metrics=("loc_auroc",))) is None


def test_the_oracle_is_a_line_and_no_point():
    axes = draw_pareto(make_table()).axes[0]
    assert {text.get_text() for text in axes.texts} == {"lrp", "ig", "random"}


@pytest.mark.parametrize(
    ("costs", "scores", "front"),
    [([1, 2, 3], [1, 2, 3], [0, 1, 2]), ([1, 2, 3], [3, 2, 1], [0]), ([2, 1, 2], [5, 1, 6], [1, 2]), ([], [], [])],
)
def test_the_front_is_what_nothing_beats_on_both(costs, scores, front):
    assert find_front(np.array(costs, float), np.array(scores, float)) == front
