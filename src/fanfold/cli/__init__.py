"""The command line: words and exit codes. The commands are in `commands`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; every foreseen error is told in a line or two."""
    # Modules stay: until the command's own is there, nothing can be garbage worth a search.
    gc.disable()
    from fanfold.cli import commands  # noqa: PLC0415 - only now
    from fanfold.cli.ending import end_at_once, ended, leave  # noqa: PLC0415
    from fanfold.cli.streams import open_streams  # noqa: PLC0415

    status = 1  # until the command says otherwise
    end_at_once(lambda: status)
    open_streams()
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    status = ended(lambda: commands.main(arguments), debug=debug)
    if status:
        leave(status)
    sys.exit(status)
