"""A fit learns everything anew, and one that fails leaves its estimator as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def anew(estimator: Any, learned: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Around the body of ``fit``: takes away what earlier fits learned, and puts it back if the body raises.

    Parameters
    ----------
    estimator : object
    learned : sequence of str
        Names of the attributes that a fit sets. Others, the user's own, stay.

    Yields
    ------
    dict
        What earlier fits had learned.
    """
    with restoring(estimator, learned) as before:
        for name in before:
            delattr(estimator, name)
        yield before


@contextlib.contextmanager
def restoring(estimator: Any, learned: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Around the body of ``partial_fit``: puts attributes back as they were if the body raises.

    The objects themselves are kept, not copies of them: the body must make new ones.
    """
    state = vars(estimator)
    before = {name: state[name] for name in learned if name in state}
    try:
        yield before
    except BaseException:
        for name in learned:
            state.pop(name, None)
        state.update(before)
        raise
