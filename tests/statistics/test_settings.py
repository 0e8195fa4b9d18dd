"""What a user decides, and what follows where nothing is said."""

import pandas as pd
import pytest

from ser.errors import InputError
from ser.statistics.settings import Settings, find_sesoi


@pytest.mark.parametrize(
    "wrong",
    [{"method": "magic"}, {"rows": "speakers"}, {"family": "poisson"}, {"anova_type": 1}, {"adjust": "scheffe"},
     {"sesoi": -0.1}, {"alpha": 0.0}, {"draws": -1}, {"interactions": 0}, {"test_share": 1.0},
     {"family": "gaussian", "trials": "n"}],
)  # fmt: skip
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises(InputError, match=f"statistics.{next(reversed(wrong))}"):
        Settings(**wrong)


def test_the_family_follows_from_trials_and_rows():
    assert not Settings().binomial and not Settings(rows="clips", family="gaussian").binomial
    assert Settings(trials="n").binomial and Settings(rows="clips").binomial and Settings(family="binomial").binomial


def test_two_points_matter_where_scores_are_shares_and_nothing_else_is_said():
    shares, times = pd.Series([0.4, 0.9]), pd.Series([250.0, 320.0])
    assert find_sesoi(Settings(), shares) == 0.02 and find_sesoi(Settings(), times) is None
    assert find_sesoi(Settings(sesoi=5.0), times) == 5.0 and find_sesoi(Settings(sesoi=0), shares) is None
