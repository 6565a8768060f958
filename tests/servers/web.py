"""A web server for one folder, with the gaps that real ones have."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote, urlsplit

from servers.loopback import LoopbackConnection, LoopbackServer


@dataclass(frozen=True)
class Manners:
    """What a web server does, and does not."""

    ranges: bool = True
    """False: a Range header is ignored, and the answer is 200 with all of it."""
    etag: bool = True
    last_modified: bool = True
    head: bool = True
    """False: HEAD is refused with 405."""
    if_match: bool = True
    """False: an If-Match header is ignored, as by most simple servers."""
    size: bool = True
    """False: the answer is chunked, and its size shows at its end."""
    login: str | None = None
    """Who is asked for, as ``user:password``; 401 for all others."""
    elsewhere: str | None = None
    """The URL of a server to which every request is sent on."""


class WebServer(LoopbackServer):
    """Serves the files below a folder at `url`, whatever the query, from `__enter__` on."""

    def __init__(self, folder: Path, manners: Manners | None = None) -> None:
        self.folder = folder.resolve()
        self.manners = manners or Manners()
        super().__init__(_Connection)


class _Connection(LoopbackConnection):
    def setup(self) -> None:
        assert isinstance(self.server, WebServer)
        self.web = self.server
        super().setup()

    def do_HEAD(self) -> None:  # noqa: N802
        if self.web.manners.head:
            self.do_GET()
        else:
            self._refuse(405, {"Allow": "GET"})

    def do_GET(self) -> None:  # noqa: N802
        manners = self.web.manners
        if manners.login is not None and self.headers["Authorization"] != basic(manners.login):
            self._refuse(401, {"WWW-Authenticate": "Basic"})
            return
        if manners.elsewhere is not None:
            self._refuse(302, {"Location": f"{manners.elsewhere}{self.path}"})
            return
        path = (self.web.folder / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
        if not path.is_relative_to(self.web.folder) or not path.is_file():
            self._refuse(404)
            return
        found = path.stat()
        etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        wanted = self.headers["If-Match"]
        if manners.etag and manners.if_match and wanted not in {None, "*", etag}:
            self._refuse(412)
            return
        start, stop = 0, found.st_size
        asked = self.headers["Range"] if manners.ranges else None
        if asked is not None:
            start, stop = _positions(asked, found.st_size)
            if start >= stop:
                self._refuse(416, {"Content-Range": f"bytes */{found.st_size}"})
                return
        self.send_response_only(200 if asked is None else 206)
        is_page = path.suffix == ".html"
        self.send_header("Content-Type", "text/html" if is_page else "application/octet-stream")
        if manners.size:
            self.send_header("Content-Length", str(stop - start))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        if asked is not None:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{found.st_size}")
        if manners.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if manners.etag:
            self.send_header("ETag", etag)
        if manners.last_modified:
            self.send_header("Last-Modified", formatdate(found.st_mtime, usegmt=True))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not manners.size:
            for data in (path.read_bytes()[start:stop], b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        elif start < stop:
            with path.open("rb") as file:
                self.connection.sendfile(file, start, stop - start)

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


def basic(login: str) -> str:
    """The header of a login (RFC 7617)."""
    return f"Basic {b64encode(login.encode()).decode()}"


def _positions(asked: str, size_bytes: int) -> tuple[int, int]:
    """The first byte and the one after the last of `bytes=a-b`, `bytes=a-` or `bytes=-n`."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.strip())
    if match is None or match[0].endswith("=-"):
        return 0, 0
    first, last = match[1], match[2]
    if not first:
        return max(0, size_bytes - int(last)), size_bytes
    return int(first), min(size_bytes, int(last) + 1) if last else size_bytes
