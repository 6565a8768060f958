"""Where the command line begins: before the imports, which take most of its start.

Until `end_on_signals` is called there is nothing to clean up, so that Ctrl-C ends the process at
once, by the signal itself. Else it were an error in the midst of whatever is being imported.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from fanfold.cli import main as run  # noqa: PLC0415 - see above

    run()
