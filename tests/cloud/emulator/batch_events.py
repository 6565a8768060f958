"""Job state-change events on their way to EventBridge, with what EventBridge may do to them.

Events come at least once and in any order, and a service may lose one: tests switch that on.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from cloud.emulator.batch_model import Json

DETAIL_TYPE = "Batch Job State Change"
_ENTRIES_A_CALL = 10
_WINDOW_SECONDS = 0.3


class EventRefusedError(Exception):
    """EventBridge didn't take an event."""


class EventSender:
    """A thread that puts events in the order in which they happened, unless told otherwise."""

    def __init__(self, client: Any) -> None:
        self.copies: int = 1
        """How often each event comes."""
        self.shuffle: random.Random | None = None
        """Set: events that happen within 0.3 s come in any order."""
        self.drops: Callable[[Json], bool] = lambda _detail: False
        """Which events are lost, by their detail."""
        self._client = client
        self._queue: deque[tuple[datetime, Json]] = deque()
        self._changed = threading.Condition()
        self._sending = False
        self._closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="batch-events")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def send(self, detail: Json) -> None:
        """Put an event, soon."""
        with self._changed:
            self._queue.append((datetime.now(UTC), json.loads(json.dumps(detail))))
            self._changed.notify_all()

    def in_order(self) -> None:
        """Switch every disturbance off."""
        self.copies, self.shuffle, self.drops = 1, None, lambda _detail: False

    def wait_sent(self, seconds: float) -> bool:
        """Wait until no event is on its way; false if there still is one."""
        with self._changed:
            sent = self._changed.wait_for(
                lambda: self._failure is not None or not (self._queue or self._sending), seconds
            )
            if self._failure is not None:
                raise self._failure
            return sent

    def _serve(self) -> None:
        while events := self._next():
            try:
                for at in range(0, len(events), _ENTRIES_A_CALL):
                    self._put(events[at : at + _ENTRIES_A_CALL])
            except Exception as error:
                self._failure = self._failure or error
            with self._changed:
                self._sending = False
                self._changed.notify_all()

    def _next(self) -> list[tuple[datetime, Json]]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if self._closed:
                return []
            self._sending = True
        if self.shuffle is not None:
            time.sleep(_WINDOW_SECONDS)
        with self._changed:
            events = [event for event in self._queue for _ in range(self.copies)]
            self._queue.clear()
        if self.shuffle is not None:
            self.shuffle.shuffle(events)
        return events

    def _put(self, events: list[tuple[datetime, Json]]) -> None:
        entries = [
            {
                "Source": "aws.batch",
                "DetailType": DETAIL_TYPE,
                "Time": happened,
                "Resources": [detail["jobArn"]],
                "Detail": json.dumps(detail),
            }
            for happened, detail in events
            if not self.drops(detail)
        ]
        if entries:
            answer = self._client.put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                raise EventRefusedError(f"{answer['Entries']}")
