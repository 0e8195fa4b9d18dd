"""`ser stats table=…` against R's answers, for every kind of data set among the references."""

import pytest
from reference_tools import close, find_folder, read_data, read_expected
from stage_tools import (
    analyse_reference,
    check_anova,
    check_answers,
    check_block,
    check_checks,
    check_model,
    check_tests,
    refuse_stats,
    run_stats,
)

OLS = (1e-7, 1e-7, 1e-9, 1e-6)
LMM = (1e-4, 1e-3, 1e-2, 2e-2)
GLMM = (2e-3, 1e-2, 1e-9, 2e-2)


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Without figures and page, which take longer than all the rest and have tests of their own."""
    from ser.statistics.export import write_statistics

    monkeypatch.setattr("ser.stats.write_results", write_statistics)


# ---- analysis of variance


@pytest.mark.parametrize(
    ("data", "response", "factors"),
    [
        ("runs_balanced", "uar", ["arch", "pft", "aug", "dataset"]),
        ("runs_unbalanced", "uar", ["arch", "pft", "aug"]),
        ("toothgrowth", "len", ["supp", "dose"]),
        ("warpbreaks", "breaks", ["wool", "tension"]),
    ],
)
def test_an_analysis_of_variance_is_that_of_r(tmp_path, data, response, factors):
    expected = read_expected(f"{data}_anova")
    by = sorted({name for block in expected["emm"] for name in block["spec"].partition("|")[2].split("*") if name})
    found = analyse_reference(tmp_path, data, f"response={response}", f"factors={factors}", by=by)
    assert found["method"]["method"] == "anova" and found["mixed"] is None
    assert [table["type"] for table in found["anova"]] == [2, 3]
    for table in found["anova"]:
        check_anova(table, expected)
    check_checks(found, expected)
    for block in expected["emm"]:
        check_block(found, block, OLS)


@pytest.mark.parametrize(("adjust", "name"), [("holm", "holm"), ("bh", "fdr"), ("sidak", "sidak"), ("none", "none")])
def test_other_adjustments_are_those_of_r(tmp_path, adjust, name):
    expected = read_expected("runs_unbalanced_anova")
    roles = ("response=uar", "factors=[arch,pft,aug]")
    found = analyse_reference(tmp_path, "runs_unbalanced", *roles, adjust=adjust, by="[arch]")
    for block in expected["emm"]:
        check_block(found, block, OLS, name)
    assert {row["adjust"] for row in found["contrasts"]} == {adjust}


@pytest.mark.parametrize("kind", [2, 3])
def test_one_type_of_tests_is_given_where_it_is_asked_for(tmp_path, kind):
    roles = ("response=uar", "factors=[arch,pft,aug]")
    found = analyse_reference(tmp_path, "runs_unbalanced", *roles, anova_type=kind)
    assert [table["type"] for table in found["anova"]] == [kind]
    check_anova(found["anova"][0], read_expected("runs_unbalanced_anova"))


def test_a_shared_seed_can_be_a_fixed_block(tmp_path):
    expected = read_expected("runs_balanced_seed_block_anova")
    roles = ("response=uar", "factors=[arch,pft,aug,dataset]", "random=[seed]")
    found = analyse_reference(tmp_path, "runs_balanced", *roles, method="anova", by="[arch]")
    check_anova(found["anova"][0], expected)
    for block in expected["emm"]:
        check_block(found, block, OLS)
    formula = "uar ~ seed + arch*pft*aug*dataset"
    own = analyse_reference(tmp_path / "own", "runs_balanced", "factors=[arch,pft,aug,dataset]", formula=formula)
    check_anova(own["anova"][0], expected)


def test_missing_combinations_are_named_and_reduced(tmp_path):
    found = analyse_reference(tmp_path, "runs_missing_cell", "response=uar", "factors=[arch,pft]")
    full, lower, part = found["anova"]
    assert [full["type"], full["scope"], lower["scope"], part["scope"]] == [2, "full", "lower order", "complete part"]
    assert "arch=cnn, pft=ital" in full["notes"][0]
    assert found["design"]["empty_cells"] == [{"arch": "cnn", "pft": "ital"}]
    check_anova(full, read_expected("runs_missing_cell_anova"))
    check_anova(lower, read_expected("runs_missing_cell_additive_anova"))
    check_block(found, read_expected("runs_missing_cell_anova")["emm"][0], OLS)
    for block in read_expected("runs_missing_cell_additive_anova")["emm"]:
        check_block({**found, "means": list_means(found, block)}, block, OLS)


def list_means(found, block):
    """Marginal means that the full model cannot estimate stand for those of the additive model."""
    return block["means"] and [
        {"levels": {k: v for k, v in row.items() if k in ("arch", "pft")}, "mean": row["emmean"], "se": row["SE"],
         "df": row["df"], "ci_low": row["lower.CL"], "ci_high": row["upper.CL"], "estimable": True}
        for row in block["means"]
    ]  # fmt: skip


# ---- mixed models


@pytest.mark.parametrize("kind", [2, 3])
def test_a_split_plot_is_recognised_and_tested_within_runs(tmp_path, kind):
    roles = ("response=uar", "factors=[arch,pft,test_set]")
    told = analyse_reference(
        tmp_path, "runs_split_plot", *roles, "random=[seed,run]", anova_type=kind, by="[arch,test_set]"
    )
    expected = read_expected("runs_split_plot_lmm")
    check_model(told["mixed"], expected)
    check_tests(told["mixed"], expected)
    for block in expected["emm"]:
        check_block(told, block["satterthwaite"], LMM)
    ratio = {row["term"]: row for row in told["mixed"]["ratio_tests"]}
    assert close(ratio["arch:pft:test_set"]["chi2"], expected["lrt_ml"][0]["chisq"], 1e-3)
    untold = analyse_reference(tmp_path / "2", "runs_split_plot", *roles)
    assert untold["design"]["random"] == ["run"] and [row["kind"] for row in untold["design"]["factors"]] == [
        "between", "between", "within",
    ]  # fmt: skip
    strata = read_expected("runs_split_plot_aov")["aov_run_strata"]
    for stratum in strata.values():
        wanted = {row["term"].strip(): row for row in stratum}
        for row in untold["mixed"]["tests"]:
            if row["term"] in wanted:
                assert close(row["F"], wanted[row["term"]]["F value"], 1e-3)
                assert close(row["df_denom"], wanted["Residuals"]["Df"], 1e-2)


@pytest.mark.parametrize(
    ("data", "name", "arguments", "settings"),
    [
        ("runs_balanced", "runs_balanced_lmm", ["response=uar", "factors=[arch,pft,aug,dataset]", "random=[seed]"],
         {"by": "[dataset]"}),
        ("utterances", "utterances_lpm_lmm",
         ["response=correct", "factors=[arch,pft]", "random=[speaker,utterance,run]"], {"by": "[arch]"}),
        ("utterances", "utterances_lpm_speaker_by_arch_lmm",
         ["response=correct", "factors=[arch,pft]", "random=[speaker,speaker:arch,utterance,run]"], {}),
        ("utterances_singular", "utterances_singular_lmm",
         ["response=correct", "factors=[arch]", "random=[speaker,utterance,run]"], {}),
        ("machines", "machines_lmm", ["response=score", "factors=[Machine]", "random=[Worker,Worker:Machine]"], {}),
        ("penicillin", "penicillin_lmm", ["response=diameter", "random=[plate,sample]"], {}),
        ("penicillin", "penicillin_lmm", [], {"formula": "diameter ~ 1 + (1 | plate) + (1 | sample)"}),
        ("sleepstudy", "sleepstudy_intercept_lmm", [], {"formula": "Reaction ~ Days + (1 | Subject)"}),
        ("sleepstudy", "sleepstudy_slopes_lmm", ["response=Reaction"],
         {"formula": "Reaction ~ Days + (Days | Subject)"}),
        ("machines", "machines_lmm", [], {"formula": "score ~ Machine + (1 | Worker/Machine)"}),
    ],
)  # fmt: skip
def test_a_linear_mixed_model_is_that_of_r(tmp_path, data, name, arguments, settings):
    expected = read_expected(name)
    found = analyse_reference(tmp_path, data, *arguments, **settings)
    assert found["method"]["method"] == "mixed" and found["anova"] == []
    check_model(found["mixed"], expected)
    if "anova2_satterthwaite" in expected:
        check_tests(found["mixed"], expected)
    if "anova3_satterthwaite" in expected and name != "utterances_lpm_lmm":  # the long table twice is enough
        three = analyse_reference(tmp_path / "3", data, *arguments, **settings, anova_type=3)
        check_tests(three["mixed"], expected)
    for block in expected["emm"]:
        check_block(found, block["satterthwaite"], LMM)
    for want in expected["lrt_ml"][:1]:  # the others drop random terms
        rows = [row for row in found["mixed"]["ratio_tests"] if close(row["chi2"], want["chisq"], 1e-3, 1e-4)]
        assert rows and rows[0]["df"] == want["df"] and close(rows[0]["loglik_reduced"], want["loglik0"], 0, 1e-4)


@pytest.mark.parametrize(
    ("data", "name", "arguments"),
    [
        ("runs_split_plot", "runs_split_plot_lmm",
         ["response=uar", "factors=[arch,pft,test_set]", "random=[seed,run]"]),
        ("utterances_singular", "utterances_singular_lmm",
         ["response=correct", "factors=[arch]", "random=[speaker,utterance,run]"]),
        ("sleepstudy", "sleepstudy_slopes_lmm", ["statistics.formula=Reaction ~ Days + (Days | Subject)"]),
    ],
)  # fmt: skip
def test_a_model_may_be_fitted_by_ml(tmp_path, data, name, arguments):
    found = analyse_reference(tmp_path, data, *arguments, reml="false")
    assert found["mixed"]["method"] == "ML"
    check_model(found["mixed"], read_expected(name), "ml")


@pytest.mark.parametrize(
    ("data", "name", "arguments", "settings"),
    [
        ("utterances", "utterances_glmm",
         ["response=correct", "factors=[arch,pft]", "random=[speaker,utterance,run]"],
         {"family": "binomial", "by": "[arch]"}),
        ("utterances_singular", "utterances_singular_glmm",
         ["response=correct", "factors=[arch]", "random=[speaker,utterance,run]"], {"family": "binomial"}),
        ("cbpp", "cbpp_glmm", ["response=incidence", "factors=[period]", "random=[herd]"],
         {"family": "binomial", "trials": "size"}),
        ("cbpp", "cbpp_glmm", ["factors=[period]"], {"trials": "size", "formula": "incidence ~ period + (1 | herd)"}),
    ],
)  # fmt: skip
def test_a_logit_mixed_model_is_that_of_r(tmp_path, data, name, arguments, settings):
    expected = read_expected(name)
    found = analyse_reference(tmp_path, data, *arguments, **settings)
    mixed = found["mixed"]
    assert mixed["family"] == "binomial" and mixed["method"] == "Laplace"
    check_model(mixed, expected, "laplace")
    check_tests(mixed, expected)
    for block in expected["emm_logit"]:
        check_block(found, block, GLMM)
    ratio = {row["term"]: row for row in mixed["ratio_tests"]}
    first = expected["lrt"][:1]
    term = "arch:pft" if "arch:pft" in ratio else next(iter(ratio))
    assert not first or close(ratio[term]["chi2"], first[0]["chisq"], 1e-3, 1e-3)
    assert all(row["effect_kind"] == "odds_ratio" for row in found["contrasts"])
    check_answers(found, expected)


def test_counts_may_be_given_as_shares_of_their_trials(tmp_path, capsys):
    table = read_data("cbpp")
    table["share"] = (table["incidence"] / table["size"]).round(4)
    table.to_csv(tmp_path / "shares.csv", index=False)
    roles = (f"table={tmp_path / 'shares.csv'}", "response=share", "factors=[period]", "random=[herd]")
    found = run_stats(tmp_path / "out", *roles, "statistics.trials=size")
    check_model(found["mixed"], read_expected("cbpp_glmm"), "laplace")
    own = (roles[0], "factors=[period]", "statistics.formula=share ~ period + (1 | herd)", "statistics.trials=size")
    check_model(run_stats(tmp_path / "own", *own)["mixed"], read_expected("cbpp_glmm"), "laplace")
    table.assign(share=table["share"] / 3).to_csv(tmp_path / "shares.csv", index=False)
    assert "neither a count nor a share of size" in refuse_stats(capsys, *roles, "statistics.trials=size")


def test_clusters_are_those_of_clubsandwich(tmp_path):
    expected = read_expected("utterances_cluster")
    roles = ("response=correct", "factors=[arch,pft]", "random=[speaker]")
    found = analyse_reference(tmp_path, "utterances", *roles, method="cluster", anova_type=3, by="[arch,pft]")
    plain, logit, gee = found["cluster"]
    for row, want in zip(plain["fixed"], expected["lpm"]["cr2"], strict=True):
        names = (("estimate", "beta"), ("se", "SE"), ("df", "df"), ("stat", "t"), ("p", "p"))
        assert all(close(row[own], want[other], 1e-7) for own, other in names), (row, want)
    # R's treatment coding tests a factor at the first level of the other, which is a simple effect here.
    effects = {(row["term"], *row["by"].values()): row for row in found["simple_effects"]}
    tests = {row["term"]: row for row in plain["tests"]}
    wanted = expected["lpm"]["cr2_htz"]
    for name, row in (
        ("arch", effects["arch", "ital"]),
        ("pft", effects["pft", "hubert"]),
        ("arch:pft", tests["arch:pft"]),
    ):
        assert all(
            close(row[own], wanted[name][other], 1e-6) for own, other in (("F", "F"), ("df_denom", "df2"), ("p", "p"))
        )
    assert [plain["correction"], logit["link"], gee["correction"]] == ["CR2", "logit", "CR0"]
    for row in gee["fixed"]:
        assert close(row["se"], expected["gee_independence"]["se_robust"][row["term"]], 1e-6)


# ---- comparisons without a model


@pytest.mark.parametrize("settings", [{}, {"method": "paired"}])
def test_models_on_the_same_clips_are_compared_pair_by_pair(tmp_path, settings):
    expected = read_expected("paired_predictions")
    found = analyse_reference(tmp_path, "paired_predictions", "score=[m1,m2,m3,m4]", **settings)
    paired = found["paired"]
    assert found["method"]["method"] == "paired" and close(paired["cochran"]["chisq"], expected["cochran_q"]["Q"], 1e-7)
    for pair, want in zip(paired["pairs"], expected["mcnemar"], strict=True):
        test = pair["mcnemar"]
        assert (test["a"], test["b"], test["n10"], test["n01"]) == (want["a"], want["b"], want["n10"], want["n01"])
        for own, other in (("p_exact", "p_exact"), ("p_mid", "p_mid"), ("p_corrected", "p_cc"), ("p", "p")):
            assert close(test[own], want[other], 1e-7)
    first, exact = paired["pairs"][0], expected["exact_cluster_bootstrap"]
    assert close(first["pooled"]["sd"], exact["pooled"]["sd"], 1e-7) and first["pooled"]["exact"]
    assert close(first["sign_flip"]["p"], expected["exact_sign_flip_speakers"]["p_two_sided"], 1e-7)
    holm = [row["p_adjusted"] for row in found["contrasts"]]
    assert holm == pytest.approx(expected["mcnemar_exact_holm"])
    assert {row["decision"] for row in found["decision"]} == {"inconclusive"}


def test_models_over_data_sets_are_ranked(tmp_path):
    expected = read_expected("many_datasets")
    found = analyse_reference(tmp_path, "many_datasets", "score=[cnn,hubert,wav2vec2,wavlm,whisper]")
    ranks = found["ranks"]
    assert found["method"]["method"] == "datasets" and ranks["mean_rank"] == pytest.approx(expected["mean_rank"])
    assert close(ranks["omnibus"]["F"], expected["iman_davenport"]["F"], 1e-7)
    assert close(ranks["cd_05"], expected["nemenyi"]["cd_05"], 1e-4)
    for row, want in zip(found["contrasts"], expected["wilcoxon"], strict=True):
        assert row["contrast"] == f"{want['a']} - {want['b']}" and row["stat"] == want["V"]
        assert not want["exact"] or close(row["p"], want["p"], 1e-7)
    assert "wavlm 2.08" in found["conclusion"][0]


@pytest.mark.parametrize("settings", [{}, {"test_share": 0.1}, {"method": "resampled"}])
def test_scores_of_folds_are_compared_with_the_correction(tmp_path, settings):
    expected = read_expected("cv_scores")
    found = analyse_reference(tmp_path, "cv_scores", "score=[model_b,model_a]", **settings)
    (one,), (row,) = found["resampled"], found["contrasts"]
    assert found["method"]["method"] == "resampled" and row["contrast"] == "model_a - model_b"
    for test, key in (("corrected", "nadeau_bengio"), ("naive", "naive_paired_t"), ("by_repetition", "mean_by_rep_t")):
        assert all(close(abs(one[test][name]), expected[key][name], 1e-7) for name in ("t", "df", "p"))
    assert row["p_adjusted"] == row["p"] and row["estimate"] == pytest.approx(-expected["mean_diff"])


# ---- what must not matter


def test_order_names_and_scale_of_rows_change_no_test(tmp_path):
    table = read_data("runs_split_plot")
    names = {"hubert": "zebra", "wav2vec2": "ant"}
    other = table.sample(frac=1, random_state=1)
    other = other.assign(arch=other["arch"].map(names), uar=100 * other["uar"])
    found = []
    for number, frame in enumerate((table, other)):
        path = tmp_path / f"{number}.csv"
        frame.to_csv(path, index=False)
        roles = (f"table={path}", "response=uar", "factors=[arch,pft,test_set]", "random=[seed,run]")
        found.append(run_stats(tmp_path / str(number), *roles))
    one, two = (own["mixed"]["tests"] for own in found)
    for row, same in zip(one, two, strict=True):
        assert close(same["F"], row["F"], 1e-4) and close(same["df_denom"], row["df_denom"], 1e-3)
    # In per cent nobody knows what matters, unless it is said.
    assert found[0]["settings"]["sesoi"] == 0.02 and found[1]["settings"]["sesoi"] is None
    assert "verdict" in found[0]["contrasts"][0] and "verdict" not in found[1]["contrasts"][0]


def test_every_t_has_the_sign_of_its_difference(tmp_path):
    found = analyse_reference(tmp_path, "runs_balanced", "response=uar", "factors=[arch,pft]")
    means = {(row["factors"], *row["levels"].values()): row["mean"] for row in found["means"]}
    for row in found["contrasts"]:
        assert row["stat"] * row["estimate"] > 0
        if row["by"] is None and row["factor"] == "arch":
            one, two = row["contrast"].split(" - ")
            assert one < two and row["estimate"] == pytest.approx(means["arch", one] - means["arch", two])
            assert abs(row["hedges_g"]) < abs(row["effect_size"])


# ---- at the edge


def test_a_logit_model_without_a_fit_gives_way_to_a_linear_one(tmp_path):
    table = read_data("utterances")
    table.loc[table["arch"] == "hubert", "correct"] = 1
    table.to_csv(tmp_path / "separated.csv", index=False)
    roles = ("response=correct", "factors=[arch,pft]", "random=[speaker,run]", "statistics.family=binomial")
    found = run_stats(tmp_path / "out", f"table={tmp_path / 'separated.csv'}", *roles)
    assert found["mixed"]["family"] == "gaussian" and found["mixed"]["converged"]
    assert any("all answers are alike in hubert ital" in words for words in found["caveats"])


def test_a_table_with_few_rows_in_some_condition_is_still_analysed(tmp_path):
    table = read_data("runs_unbalanced")
    few = table.groupby(["arch", "pft", "aug"]).head(2).drop(columns="seed")
    few.to_csv(tmp_path / "few.csv", index=False)
    found = run_stats(tmp_path / "out", f"table={tmp_path / 'few.csv'}", "response=uar", "factors=[arch,pft,aug]")
    assert found["method"] == {
        "method": "anova",
        "reason": "every row is independent, though some condition has 2: analysis of variance",
    }
    one = table.groupby(["arch", "pft", "aug"]).head(1).drop(columns="seed")
    one.to_csv(tmp_path / "few.csv", index=False)
    found = run_stats(tmp_path / "one", f"table={tmp_path / 'few.csv'}", "response=uar", "factors=[arch,pft,aug]")
    assert found["method"]["method"] == "describe"


def test_a_data_set_that_a_model_lacks_is_left_out_of_the_ranks(tmp_path):
    table = read_data("many_datasets")
    table.loc[3, "cnn"] = None
    table.to_csv(tmp_path / "gap.csv", index=False)
    found = run_stats(tmp_path / "out", f"table={tmp_path / 'gap.csv'}", "score=[cnn,hubert,wavlm]")
    assert found["ranks"]["n_datasets"] == 11
    assert "1 of 12 rows are left out, because some model has no score there" in found["caveats"]


def test_answers_as_rows_get_the_random_terms_they_imply(tmp_path, capsys):
    roles = ("response=correct", "factors=[arch,pft]")
    found = analyse_reference(tmp_path, "utterances", *roles)
    groups = [row["group"] for row in found["mixed"]["random"]]
    assert groups[:4] == ["speaker", "speaker:arch", "speaker:pft", "speaker:arch:pft"] and "run" in groups
    path = f"table={find_folder('data', 'utterances.csv')}"
    out = f"hydra.run.dir={tmp_path / 'out'}"
    assert "not independent" in refuse_stats(capsys, path, *roles, "statistics.method=anova", out)
    split = f"table={find_folder('data', 'runs_split_plot.csv')}"
    within = refuse_stats(capsys, split, "response=uar", "factors=[arch,test_set]", "statistics.method=anova", out)
    assert "test_set varies within run" in within
