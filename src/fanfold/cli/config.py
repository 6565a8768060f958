"""Where the API is: by option, environment, or configuration file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from fanfold.errors import ParameterError

_VARIABLE = "FANFOLD_API_URL"
_KEY = "api_url"


def find_api_url(given: str | None) -> str:
    """The API's URL: what was given, or what is set.

    Raises:
        ParameterError: none is set, or the configuration file can't be read.
    """
    path = _config_path()
    found = given or os.environ.get(_VARIABLE) or _read(path)
    if not found:
        raise ParameterError(
            f"where is the API? Give --api URL, set {_VARIABLE}, or write {_KEY} ="
            f' "https://…/prod" into {path}; `fanfold serve` and deploy.sh print it'
        )
    return found


def _config_path() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path("~/.config").expanduser()) / "fanfold/config.toml"


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            found = tomllib.load(file).get(_KEY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ParameterError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: not TOML: {error}") from error
    if found is not None and not isinstance(found, str):
        raise ParameterError(f'{path}: {_KEY} is no text; write {_KEY} = "https://…/prod"')
    return found
