"""The one line that bad input gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from attractor.errors import InputError


@contextmanager
def refusal(*said: str, match: str | None = None) -> Iterator[pytest.ExceptionInfo[InputError]]:
    """What is done here is refused, in one line that says all of these and has a ``match``."""
    with pytest.raises(InputError, match=match) as caught:
        yield caught
    message = str(caught.value)
    assert "\n" not in message and all(words in message for words in said), message
