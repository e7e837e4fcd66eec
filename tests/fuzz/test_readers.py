"""Readers of files take any bytes: an error in clear words, or what is in them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import SEEDS, try_bytes

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WHOLE = {}
# Where, as a share of the file; how many bytes are taken away there; what comes in their place.
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=4)


def seed(kind):
    """A file of the kind, made once."""
    if kind not in WHOLE:
        WHOLE[kind] = SEEDS[kind]()
    return WHOLE[kind]


@pytest.mark.parametrize("kind", SEEDS)
def test_whole_files_are_read(kind, tmp_path):
    """What damage is done to."""
    assert try_bytes(kind, seed(kind), tmp_path)


@pytest.mark.parametrize("kind", SEEDS)
@MANY
@given(edits=EDITS)
def test_damage_is_refused_or_read(kind, tmp_path, edits):
    """Bytes that are changed, lost and put in anywhere."""
    data = seed(kind)
    for place, n, put in edits:
        at = int(place * len(data))
        data = data[:at] + put + data[at + n :]
    try_bytes(kind, data, tmp_path)


@pytest.mark.parametrize("kind", SEEDS)
@MANY
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(kind, tmp_path, data):
    """Also behind the first bytes of a file that is right."""
    for start in (0, 8, 128):
        try_bytes(kind, seed(kind)[:start] + data, tmp_path)
