import re

from ser import __version__
from ser.tracking import environment


def test_what_a_result_was_computed_with():
    found = environment.describe_environment()
    assert found["ser"] == __version__ and re.fullmatch(r"3\.\d+\.\d+", found["python"])
    assert set(found) == {"ser", "git_revision", "python", "platform", "packages", "hardware"}


def test_packages_have_the_versions_that_are_imported():
    import numpy
    import pandas

    found = {name.lower(): version for name, version in environment.list_packages().items()}
    assert found["numpy"] == numpy.__version__ and found["pandas"] == pandas.__version__
    assert "scikit_learn" in found


def test_the_revision_is_that_of_the_checkout_or_nothing(tmp_path, monkeypatch):
    revision = environment.find_revision()
    assert revision is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", revision)
    monkeypatch.setattr(environment, "PACKAGE", tmp_path / "ser")
    assert environment.find_revision() is None
    (tmp_path / ".git").mkdir()  # a folder that git does not take for a checkout
    assert environment.find_revision() is None
