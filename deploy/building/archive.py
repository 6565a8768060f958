"""Zips that are the same bytes for the same members: names sorted, times and modes fixed."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from building.messages import BuildError

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time


def read(path: Path) -> dict[str, bytes]:
    """The files of a zip by name.

    Raises:
        BuildError: it is damaged, or no zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            files = {member.filename: archive.read(member) for member in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise BuildError(f"{path} is a damaged zip: {error}") from None
    if len(files) < len(members):
        raise BuildError(f"{path} is a damaged zip: it has a name twice")
    return files


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whose modes follow
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, members[name])
    return data.getvalue()
