"""The program of the process that is MiniStack: serves a listening socket that it inherits.

    python ministack_process.py FILE_DESCRIPTOR

No other process can take the port between its choice and its use, and a client may connect at once:
it waits for its answer. The server ends with its standard input, so that it doesn't outlive tests
that were killed.
"""

import asyncio
import os
import sys
import threading

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app  # type: ignore[import-untyped]


def end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


config = Config()
config.bind = [f"fd://{sys.argv[1]}"]
config.keep_alive_timeout = 75
threading.Thread(target=end_with_standard_input, daemon=True).start()
asyncio.run(serve(app, config))
