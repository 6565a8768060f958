"""Builds wheels for Linux, and what AWS runs. It takes Python and Rust, and no container engine.

    python deploy/build.py wheels --out DIR
    python deploy/build.py functions --architecture arm64 --out DIR
    python deploy/build.py image --out DIR
    python3.13 deploy/build.py lock

Wheels are kept in ``deploy/.build``, or in the folder that FANFOLD_BUILD_CACHE names, by a hash of
what they are made of. There and in DIR, only files that a build made are replaced or removed.
Progress goes to standard error; the sizes to standard output, as JSON. maturin and zig are of
``requirements-build.txt``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from building.lock import refresh
from building.messages import BuildError
from building.pack import make_context, make_functions, make_wheels
from building.wheels import ARCHITECTURES, PYTHON, cache


def main() -> int:
    """Runs what was asked for; the exit status."""
    arguments = _parser().parse_args()
    try:
        with cache():
            _make(arguments)
    except (BuildError, OSError) as error:
        sys.stderr.write(f"build.py: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _make(arguments: argparse.Namespace) -> None:
    match arguments.what:
        case "wheels":
            _print(make_wheels(arguments.out))
        case "functions":
            architecture = ARCHITECTURES[arguments.architecture]
            _print(make_functions(architecture, arguments.out))
        case "image":
            _print(make_context(arguments.out))
        case "lock":
            refresh()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Builds wheels, and what AWS runs; prints the sizes as JSON."
    )
    verbs = parser.add_subparsers(dest="what", required=True)
    wheels = verbs.add_parser("wheels", help="fanfold's wheel for each architecture of Linux")
    wheels.add_argument("--out", required=True, type=Path, metavar="DIR")
    functions = verbs.add_parser("functions", help="a zip for each Lambda function")
    functions.add_argument("--architecture", required=True, choices=sorted(ARCHITECTURES))
    functions.add_argument("--python", choices=[PYTHON], default=PYTHON, help="Lambda's Python")
    functions.add_argument("--out", required=True, type=Path, metavar="DIR")
    image = verbs.add_parser("image", help="the image's build context, for both architectures")
    image.add_argument("--out", required=True, type=Path, metavar="DIR")
    verbs.add_parser("lock", help="resolve deploy/requirements*.txt anew")
    return parser


def _print(sizes: object) -> None:
    sys.stdout.write(json.dumps(sizes, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
