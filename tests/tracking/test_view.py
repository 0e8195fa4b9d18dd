"""The view of a sweep: columns and charts of what is there, and of nothing else."""

import json

from ser.tracking.view import NAMED, make_view

PARAMS = {"backbone", "head", "seed"}
METRICS = {"test/uar", "test/uar_ci_low", "test/uar_ci_high", "test/wa", "fold-0/train/loss", "fold-0/val/loss"}


def test_what_varied_and_the_scores_are_columns_and_axes():
    view = json.loads(make_view("par", ["a", "b"], ["head", "seed", "gone"], PARAMS, METRICS))
    assert view["searchFilter"] == "attributes.run_id IN ('a', 'b')"
    assert view["orderByKey"] == "metrics.`test/uar`" and view["orderByAsc"] is False
    shown = ["params.`head`", "params.`seed`", *(f"metrics.`test/{name}`" for name in ("uar", "uar_ci_low"))]
    assert view["selectedColumns"][1:5] == shown and view["selectedColumns"][-1] == "metrics.`test/wa`"
    charts = {chart["type"]: chart for chart in view["compareRunCharts"]}
    assert charts["PARALLEL"]["selectedParams"] == ["head", "seed"]
    assert charts["LINE"]["selectedMetricKeys"] == ["fold-0/train/loss", "fold-0/val/loss"]
    sections = {section["uuid"] for section in view["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in view["compareRunCharts"]} == sections


def test_many_runs_are_the_children_of_their_sweep():
    view = json.loads(make_view("par", [str(n) for n in range(NAMED + 1)], ["seed"], PARAMS, METRICS))
    assert view["searchFilter"] == "tags.`mlflow.parentRunId` = 'par'"


def test_without_scores_there_is_nothing_to_order_by():
    view = json.loads(make_view("par", [], ["seed"], set(), set()))
    assert view["orderByKey"] == "attributes.start_time" and view["compareRunCharts"] == []
    assert view["selectedColumns"] == ["attributes.`Duration`"]
