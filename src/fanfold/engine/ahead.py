"""Work ahead: results in order, while the next ones are being made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int
) -> Generator[_Result, None, None]:
    """The function of every item, in their order, made on threads while the consumer works.

    At most `ahead` results are made or waiting beside the one that the consumer holds; so memory is
    bounded however many items there are. What the function raises is raised in its place.
    """
    pool = ThreadPoolExecutor(ahead, "fanfold-ahead")
    try:
        under_way: deque[Future[_Result]] = deque()
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) > ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
