"""What all tests have in common."""

from __future__ import annotations

import signal

# A shell starts what it runs in the background with SIGINT ignored, which children inherit; the
# commands under test have to see it as they do on a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
