"""Small graphs: in steps this small threads only wait for each other."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def small(one_thread: None) -> None:
    """Compute on one thread in every test here."""
