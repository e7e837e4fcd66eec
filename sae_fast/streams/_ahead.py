"""Reading ahead: one thread reads while the caller computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def read_ahead(items: Generator[T], depth: int = 2) -> Generator[T]:
    """The items, of which a thread has up to ``depth`` ready; it ends with the iteration, however that ends.

    Where no thread can be had, the caller reads.
    """
    with ThreadPoolExecutor(1, "sae_fast-reader") as thread:
        waiting: deque[Future[T | object]] = deque()
        try:
            try:
                waiting.append(thread.submit(next, items, _END))
            except RuntimeError:
                yield from items
                return
            while True:
                while len(waiting) < depth:
                    waiting.append(thread.submit(next, items, _END))
                item = waiting[0].result()
                waiting.popleft()
                if item is _END:
                    return
                waiting.append(thread.submit(next, items, _END))
                yield item  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
            thread.shutdown()
            items.close()
