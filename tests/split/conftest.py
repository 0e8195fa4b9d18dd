"""Two corpora that many tests of splits share."""

import pytest
from split_tables import build_crowd, build_emodb


@pytest.fixture(scope="session")
def emodb():
    return build_emodb()


@pytest.fixture(scope="session")
def crowd():
    return build_crowd()
