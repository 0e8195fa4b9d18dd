"""The table at the end of a sweep."""

import json

import pytest

from ser.sweep import defer_to_jobs, print_table

UAR = {"test/uar": 0.51234, "test/uar_ci_low": 0.4, "test/uar_ci_high": 0.6, "test/wa": 0.55}
CCC = {"test/ccc": 0.3, "test/ccc_ci_low": -0.1, "test/ccc_ci_high": 0.45, "test/pcc": 0.35, "test/mae": 1.2}


def show(folder, capsys, *runs):
    jobs = []
    for number, scores in enumerate(runs):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "metrics.json").write_text(json.dumps(scores))
        state = "finished" if scores else "refused"
        reason = None if scores else "no such head\nmore"
        jobs.append(
            {"run_dir": str(number), "state": state, "reason": reason, "overrides": {"head": f"[h{number}]", "x": "1"}}
        )
    print_table(folder, {"varied": ["head"], "jobs": jobs})
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_emotions_have_their_recall(tmp_path, capsys):
    lines = show(tmp_path, capsys, UAR, {})
    assert lines[0] == ["head", "UAR", "95", "%", "CI", "WA", "state"]
    assert lines[1] == ["[h0]", "0.512", "0.400–0.600", "0.550", "finished"]
    assert lines[2] == ["[h1]", "refused:", "no", "such", "head"]


def test_dimensions_have_their_concordance(tmp_path, capsys):
    lines = show(tmp_path, capsys, CCC, CCC | {"test/ccc_ci_low": None, "test/pcc": None})
    assert lines[0] == ["head", "CCC", "95", "%", "CI", "PCC", "state"]
    assert lines[1] == ["[h0]", "0.300", "-0.100", "to", "0.450", "0.350", "finished"]
    assert lines[2] == ["[h1]", "0.300", "finished"]


def test_a_sweep_of_both_has_columns_for_both(tmp_path, capsys):
    lines = show(tmp_path, capsys, CCC, UAR)
    assert lines[0] == ["head", "UAR", "95", "%", "CI", "WA", "CCC", "95", "%", "CI", "PCC", "state"]
    assert lines[1][1:] == ["0.300", "-0.100", "to", "0.450", "0.350", "finished"]
    assert lines[2][1:] == ["0.512", "0.400–0.600", "0.550", "finished"]


def test_nothing_finished(tmp_path, capsys):
    assert show(tmp_path, capsys, {})[0][:2] == ["head", "UAR"]


@pytest.mark.parametrize(
    ("command", "deferred"),
    [
        (["head=svm,ridge", "head.tune=false"], "head.tune=choice(false)"),
        (["pooling@backbone.pooling.a=gru,lstm", "backbone.pooling.a.mix=x"], "backbone.pooling.a.mix=choice(x)"),
        (["head=svm", "head.tune=false"], "head.tune=false"),
        (["pooling=gru,lstm", "backbone.pooling.a.mix=x"], "backbone.pooling.a.mix=x"),
        (["seed=1,2", "seeds.x=1"], "seeds.x=1"),
    ],
)  # fmt: skip
def test_what_lies_inside_a_swept_group_waits_for_the_jobs_wherever_the_group_lies(command, deferred):
    assert defer_to_jobs(command) == [command[0], deferred]
