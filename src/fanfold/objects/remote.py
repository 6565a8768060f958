"""Objects in stores that are reached by URL: S3 and its kin, GCS, Azure, the web. By obstore.

What a store asks for (endpoint, region, credentials) comes from the environment, under the names
that its users know; never from a plan, so that every worker has its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

import obstore.exceptions
from obstore.store import HTTPStore, from_url

from fanfold._kernel import VERSION
from fanfold.engine.ahead import map_ahead
from fanfold.errors import (
    EngineError,
    FanfoldError,
    OutputError,
    ParameterError,
    SourceChangedError,
    SourceElsewhereError,
    SourceError,
    SourceMissingError,
)
from fanfold.objects import s3
from fanfold.objects.place import DOCUMENT_BYTES, Kind, Listed
from fanfold.objects.settings import (
    CERTIFICATES,
    CERTIFICATES_OF_S3,
    Settings,
    certificates_of_s3,
    check_certificates,
    check_endpoints,
    contact_timeout,
    current,
    endpoint_of,
    read_timeout,
    retry_timeout,
)
from fanfold.objects.source import BLOCK_BYTES, Source
from fanfold.objects.urls import Url, base_name, parse_object
from fanfold.objects.web import CONNECT_SECONDS, GONE, Stream, open_stream, proxy_of, refusal
from fanfold.shown import as_cause, shown, without_secrets

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from obstore import Attributes, GetOptions, ListResult, ObjectMeta, UpdateVersion
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_RANGE_BYTES = 8 * 1024**2
"""Bytes a request: what S3 serves well (8 to 16 MB), and little enough to wait for."""

_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "tsv": "text/tab-separated-values; charset=utf-8",
}
"""The media types of objects that people open in a browser, by extension."""

_RANGES_AHEAD = 3
"""Requests under way beside the range that is scanned."""

_FIRST_PAUSE, _LONGEST_PAUSE, _PAUSE_GROWTH = timedelta(seconds=0.1), timedelta(seconds=15), 3
"""A pause before the next try is drawn from the first to so many times the one before."""
_MANY_RETRIES = 1000
"""So many that time alone ends them."""

_LISTED_AT_ONCE = 1000
"""Objects a request: as many as S3 lists."""

_SPOOL_BYTES = 16 * 1024**2
_CREATED_BYTES = 64 * 1024**2
"""The largest object that is created in one request, on the condition that there is none."""
"""What is written up to this size stays in memory until it is sent."""

_LONGEST_REQUEST = timedelta(hours=1)

_BROKE_OFF = re.compile("(?<!Generic )HTTP error: |NoSuchUpload")
"""What obstore says of a connection that failed, and of no answer that came; and of an upload that
is complete, though the answer to that was lost."""

_CONFLICT = "<Code>ConditionalRequestConflict</Code>"
"""What S3 answers to a conditional write amid another operation. The object may be there or not,
and the write is to be tried again (S3 API reference, PutObject); to obstore it is there."""

_REFUSED = "status code: 4"
"""What obstore says of an answer that no retry would change."""

_NO_CONDITIONS = re.compile("501 Not Implemented|(ETag|Version) required for conditional")
"""What is said of a store that has no conditional writes, or tells no version to demand."""

_ELSEWHERE = re.compile(r"\A[^\n]*(configured region|301 Moved)|<Code>PermanentRedirect</Code>")
"""What obstore says when S3 points to another region."""

_PLAIN_HTTP = re.compile(
    r"\w*(?:ENDPOINT|BASE_URL)\w*=http://.*|\w+_ALLOW_HTTP=(?:true|1|yes|on)", re.IGNORECASE
)
"""Settings by which a store may be reached without TLS."""

_TLS_FAULT = re.compile(
    r"kind: InvalidData,\s*error: (\w+)(?:\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+))?"
)
"""What obstore says of TLS that could not be made, deep in what it adds: rustls' error."""

_OF_CERTIFICATES = {
    "Expired": "it has ended: its owner has to renew it",
    "NotValidYet": "check the clock of this machine",
    "NotValidForName": "it is another host's: check the host",
    "Revoked": "its owner has to renew it",
    "CaUsedAsEndEntity": "it is an authority's own, as `openssl req -x509` makes them: the server"
    " needs one with basicConstraints CA:FALSE",
}
"""What to do about certificates that no other authority would make valid."""

_NO_CONNECTION = re.compile(r"client::legacy::Error\(\s*Connect,")
"""What obstore says of a connection that could not be made."""

_CONNECTION_SAID = re.compile(
    r'message: "([^"]+)"|error: "(?:failed to lookup address information: )?([^"]+)"'
)
"""Why that was, as the system says it."""

_ASKED_URL = re.compile(r"Error performing \w+ (https?://[^/?#\s]+)")
"""What obstore says of where it sent a request."""

_STATUS = re.compile(r"status code: (\d{3})")

_WHOLE_ALONE = re.compile(
    r"Range request not supported|Content-Length Header missing|CONTENT_RANGE header"
    r"|status code: 416"
)
"""What obstore says of a web server that can't tell of an object's ranges, or has no byte of it."""

_FIRST_REQUEST = timedelta(seconds=10)
_CONNECT = timedelta(seconds=CONNECT_SECONDS)

_Answer = TypeVar("_Answer")

_Errors = (obstore.exceptions.BaseError, OSError)


def stat_source(location: str) -> Source:
    """The source that is the object at a URL, pinned as it is now.

    Raises:
        ParameterError: the URL can't be an object's.
        SourceMissingError: there is no such object.
        SourceElsewhereError: its bucket is in another region.
        SourceError: it can't be pinned or read by ranges.
    """
    found = _look(location)
    if isinstance(found, Source):
        return found
    raise SourceError(
        f"{shown(location)}: can't be read by ranges: {found.lack}; download it, or pipe it in:"
        " curl URL | fanfold run -"
    ) from found.cause


def _look(location: str) -> Source | _Lacking:
    """The source that is the object at a URL, or why it can't be read by ranges."""
    url, name = parse_object(location), base_name(location)
    try:
        meta = _stat_web(url) if url.is_web else _store(url).head(url.key)
    except _Errors as error:
        if url.is_web and _WHOLE_ALONE.search(str(error)):
            return _Lacking(_lack(error), as_cause(error))
        raise _kind(url, error)(_unreadable(location, error)) from as_cause(error)
    etag = _pin(meta)
    if etag is None:
        return _Lacking("its server tells neither ETag nor Last-Modified", None)
    return Source(url.location, name, meta["size"], etag)


def open_input(location: str) -> Source | Stream:
    """The object at a URL: pinned, or open if its server sends it from its start alone.

    Raises:
        ParameterError: the URL can't be an object's.
        SourceError: it can't be read; see `stat_source`.
    """
    found = _look(location)
    if isinstance(found, Source):
        return found
    stream = open_stream(location)
    logging.getLogger("fanfold").warning(
        "%s: %s: it is read once, from its start", shown(location), found.lack
    )
    return stream


def read_blocks(
    source: Source, start_byte: int, end_byte: int, block_bytes: int
) -> Iterator[memoryview]:
    """The bytes [start_byte, end_byte) of a source, in order, in blocks of at most `block_bytes`.

    Ranges are asked for ahead, so that they come in while others are scanned.

    Raises:
        SourceError: the source can't be read.
        SourceChangedError: it is not, or is no longer, what was pinned.
    """
    starts = range(start_byte, end_byte, _RANGE_BYTES)
    ranges = ((start, min(start + _RANGE_BYTES, end_byte)) for start in starts)
    fetch = partial(_fetch, parse_object(source.url), source)
    for data in map_ahead(fetch, ranges, _RANGES_AHEAD):
        for at in range(0, len(data), block_bytes):
            yield data[at : at + block_bytes]


class _Lacking(NamedTuple):
    """What the server of an object on the web lacks, so that it can be read from its start alone.

    Attributes:
        lack: it, in words.
        cause: what showed it.
    """

    lack: str
    cause: Exception | None


class RemotePlace:
    """A prefix in an object store; see `Place`.

    Args:
        url: the prefix.
    """

    reads_ahead = 16
    lags = False  # what a store lists and reads is what was written, since 2020 in S3 too

    def __init__(self, url: Url) -> None:
        self.url = f"{url.root}/{url.key}".rstrip("/")
        self._url = url

    def where(self, name: str) -> str:
        """The URL of what is called `name`."""
        return f"{self.url}/{name}"

    def prepare(self, below: str) -> None:
        """Nothing: there are no folders."""

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        """An object, whole."""
        return self._read(name, most_bytes)[0]

    def _read(self, name: str, most_bytes: int) -> tuple[bytes, UpdateVersion]:
        try:
            key = self._url.below(name)
            found = _store(self._url, key).get(key)
            meta = found.meta
            if meta["size"] > most_bytes:
                raise OutputError(
                    f"{self.where(name)}: can't be read: more than {most_bytes} bytes"
                )
            version: UpdateVersion = {}  # without what the store doesn't tell
            if meta["e_tag"] is not None:
                version["e_tag"] = meta["e_tag"]
            if meta["version"] is not None:
                version["version"] = meta["version"]
            return bytes(found.bytes()), version
        except FileNotFoundError:
            raise
        except _Errors as error:
            raise OutputError(f"{self.where(name)}: can't be read: {_reason(error)}") from error

    def blocks(
        self, name: str, start_byte: int = 0, end_byte: int | None = None
    ) -> Iterator[memoryview]:
        """The bytes [start_byte, end_byte) of an object, in blocks."""
        try:
            source = stat_source(self.where(name))
            end_byte = min(source.size_bytes, source.size_bytes if end_byte is None else end_byte)
            if start_byte < end_byte:
                yield from read_blocks(source, start_byte, end_byte, BLOCK_BYTES)
        except SourceMissingError as error:
            raise FileNotFoundError(self.where(name)) from error
        except SourceError as error:
            raise OutputError(str(error)) from error

    def write(
        self,
        name: str,
        data: bytes | Iterable[bytes],
        *,
        durable: bool = False,  # noqa: ARG002 - stores are
    ) -> None:
        """Write an object; pieces are sent while others are made."""
        try:
            if isinstance(data, bytes):
                self._put(name, data)
            else:
                # In parts; what is sent can't be asked for again.
                _store(self._url).put(self._url.below(name), data, attributes=_attributes(name))
        except FanfoldError:
            raise
        except _Errors as error:
            raise OutputError(self._unwritable(name, error)) from error

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one; whether it was written."""
        key = self._url.below(name)
        try:
            put = partial(_store(self._url).put, attributes=_attributes(name))
            _until_whole(lambda: put(key, data, mode="create"))
        except _Errors as error:
            if isinstance(error, obstore.exceptions.AlreadyExistsError) and not _conflicts(error):
                return False
            if not _lacks_conditions(error):
                raise OutputError(self._unwritable(name, error)) from error
            if self.kinds([name]):
                return False
            self.write(name, data)
        return True

    def swap(self, name: str, old: bytes, new: bytes) -> bool:
        """Replace an object if it is still `old`; whether it was."""
        try:
            found, version = self._read(name, DOCUMENT_BYTES)
            if found != old:
                return False
            key = self._url.below(name)
            put = partial(_store(self._url).put, attributes=_attributes(name))
            _until_whole(lambda: put(key, new, mode=version))
        except (FileNotFoundError, obstore.exceptions.PreconditionError):
            return False
        except _Errors as error:
            if not _lacks_conditions(error):
                raise OutputError(self._unwritable(name, error)) from error
            self.write(name, new)  # the last writer wins; the caller reads it back
        return True

    @contextlib.contextmanager
    def writing(
        self,
        name: str,
        *,
        durable: bool = False,  # noqa: ARG002 - stores are
    ) -> Iterator[BinaryIO]:
        """An object to write to, which appears at the end of the block, or not at all."""
        with _Spool(_SPOOL_BYTES) as file:
            try:
                yield cast("BinaryIO", file)
            except _Errors as error:
                raise OutputError(self._unwritable(name, error)) from error
            self._put_spooled(name, file)

    @contextlib.contextmanager
    def creating(self, name: str) -> Iterator[BinaryIO]:
        """An object to write to, which appears at the end of the block if there is none."""
        with _Spool(_SPOOL_BYTES) as file:
            yield cast("BinaryIO", file)
            if file.tell() > _CREATED_BYTES:
                # No store makes the end of an upload in parts depend on what is there.
                is_created = not self.kinds([name])
                if is_created:
                    self._put_spooled(name, file)
            else:
                file.seek(0)
                is_created = self.create(name, file.read())
            if not is_created:
                raise FileExistsError(self.where(name))

    def sizes(self, below: str = "") -> dict[str, int]:
        """The size of each object directly in `below`, by name."""
        listed = self._list(below)["objects"]
        return {each["path"].rpartition("/")[2]: each["size"] for each in listed}

    def listed(self, below: str, after: str = "") -> Iterator[Listed]:
        """The objects directly in `below` whose names sort after `after`, by name."""
        prefix = self._url.below(below) if below else self._url.key
        above = f"{prefix}/" if prefix else ""
        offset = f"{above}{after}" if after else None
        try:
            store = _store(self._url)
            for page in store.list(prefix or None, offset=offset, chunk_size=_LISTED_AT_ONCE):
                for each in page:
                    name = each["path"].removeprefix(above)
                    if "/" not in name and name > after:  # some servers ignore the offset
                        yield Listed(name, each["last_modified"], each["size"])
        except _Errors as error:
            raise OutputError(f"{self.where(below)}: can't be listed: {_reason(error)}") from error

    def children(self, below: str = "") -> tuple[list[str], list[Listed]]:
        """What stands before a slash in objects' names in `below`, and the objects themselves."""
        found = self._list(below)
        objects = [
            Listed(each["path"].rpartition("/")[2], each["last_modified"], each["size"])
            for each in found["objects"]
        ]
        return sorted(each.rpartition("/")[2] for each in found["common_prefixes"]), sorted(objects)

    def folders(self, below: str = "") -> list[str]:
        """The names of what objects' names have before a slash in `below`, sorted."""
        return sorted(each.rpartition("/")[2] for each in self._list(below)["common_prefixes"])

    def kinds(self, names: Iterable[str]) -> dict[str, Kind]:
        """What is there under names; there are files alone. Folders are listed, one by one."""
        found: dict[str, Kind] = {}
        folders = {name: name.rpartition("/")[0] for name in names}
        for folder in sorted({*folders.values()}):
            there = {f"{folder}/{name}" if folder else name for name in self.sizes(folder)}
            found |= dict.fromkeys(there & folders.keys(), "file")
        return found

    def _list(self, below: str) -> ListResult[Sequence[ObjectMeta]]:
        prefix = self._url.below(below) if below else self._url.key
        try:
            found = _until_whole(lambda: _store(self._url).list_with_delimiter(prefix or None))
        except _Errors as error:
            raise OutputError(f"{self.where(below)}: can't be listed: {_reason(error)}") from error
        # An object "a/b/", which consoles make for a folder, comes as "a/b" and isn't in it.
        above = f"{prefix}/" if prefix else ""
        objects = [each for each in found["objects"] if each["path"].startswith(above)]
        return {"common_prefixes": found["common_prefixes"], "objects": objects}

    def remove(self, names: Iterable[str]) -> None:
        """Remove the objects that are there."""
        keys = [self._url.below(name) for name in names]
        if not keys:
            return
        try:
            _until_whole(lambda: self._remove(keys))
        except _Errors as error:
            raise OutputError(f"{self.url}: can't be removed: {_reason(error)}") from error

    def _put(self, name: str, data: bytes | BinaryIO) -> None:
        def put() -> None:
            if not isinstance(data, bytes):
                data.seek(0)
            _store(self._url).put(self._url.below(name), data, attributes=_attributes(name))

        _until_whole(put)

    def _put_spooled(self, name: str, file: _Spool) -> None:
        try:
            self._put(name, cast("BinaryIO", file))
        except _Errors as error:
            raise OutputError(self._unwritable(name, error)) from error

    def _remove(self, keys: list[str]) -> None:
        try:
            _store(self._url).delete(keys)
        except FileNotFoundError:
            # Some stores stop at the first that isn't there.
            for key in keys:
                with contextlib.suppress(FileNotFoundError):
                    _store(self._url).delete(key)

    def remove_folder(self, below: str) -> None:
        """Nothing: there are no folders."""

    def sweep(self, below: str = "") -> None:
        """Nothing: an object appears whole or not at all."""

    def _unwritable(self, name: str, error: Exception) -> str:
        return f"{self.where(name)}: can't be written: {_reason(error)}"


def _attributes(name: str) -> Attributes:
    """What a store tells a browser of an object: without a type it would not show a page."""
    found = _TYPES.get(name.rpartition(".")[2])
    return {} if found is None else {"Content-Type": found}


class _Spool(tempfile.SpooledTemporaryFile[bytes]):
    """What an object will be: in memory while it is small, then in the temporary folder."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(
                f"the temporary folder can't be written: {error.strerror}; a table waits there to"
                " be sent to the store: set TMPDIR to a folder with room for it"
            ) from error


def _stat_web(url: Url) -> ObjectMeta:
    """What a web server tells of an object: by a GET, since a signed URL is for that alone."""
    return _store(url).get("", options={"range": (0, 1)}).meta


def _fetch(url: Url, source: Source, span: tuple[int, int]) -> memoryview:
    """The bytes of a range, all of them, of the pinned object."""
    options: GetOptions = {"range": span}
    if source.etag.startswith('"'):  # weak ones and times can't be demanded
        options["if_match"] = source.etag

    def fetch() -> memoryview:
        found = _store(url).get(url.key, options=options)
        if (_pin(found.meta), found.meta["size"]) != (source.etag, source.size_bytes):
            raise SourceChangedError(_changed(source))
        return memoryview(found.bytes())

    try:
        data = _until_whole(fetch)
    except obstore.exceptions.PreconditionError as error:
        raise SourceChangedError(_changed(source)) from as_cause(error)
    except FileNotFoundError as error:
        raise SourceMissingError(_unreadable(source.url, error)) from as_cause(error)
    except _Errors as error:
        # A body that broke off is taken up by obstore; this is its error if the object is another
        # by then, or gone.
        if _REFUSED in str(error) and stat_source(source.url) != source:
            raise SourceChangedError(_changed(source)) from as_cause(error)
        raise SourceError(_unreadable(source.url, error)) from as_cause(error)
    if len(data) != span[1] - span[0]:
        raise SourceError(
            f"{shown(source.url)}: can't be read: {len(data)} bytes came of"
            f" {span[1] - span[0]}; the server is at fault: download it another way"
        )
    return data


def _until_whole(ask: Callable[[], _Answer]) -> _Answer:
    """What a store answers to a request that may be made twice.

    It is made again when its answer broke off, or told of a conflict, which obstore does by itself
    only for some.
    """
    end = time.monotonic() + retry_timeout().total_seconds()
    pause = _FIRST_PAUSE.total_seconds()
    while True:
        try:
            return ask()
        except (
            obstore.exceptions.GenericError,
            obstore.exceptions.AlreadyExistsError,
            FileNotFoundError,
        ) as error:
            is_over = time.monotonic() + pause > end
            if is_over or not (_BROKE_OFF.search(str(error)) or _conflicts(error)):
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE.total_seconds())


def _pin(meta: ObjectMeta) -> str | None:
    """What changes whenever the object's bytes do, or None where the store tells nothing such."""
    if meta["e_tag"]:
        return meta["e_tag"]
    modified = meta["last_modified"].astimezone(UTC)
    # A server that tells no time has the epoch here.
    return f"{modified.isoformat()} {meta['size']}" if modified.timestamp() else None


def _store(url: Url, key: str | None = None) -> ObjectStore:
    """The store that an object is in; made once for a process and its environment.

    Args:
        url: the object, or what it is below.
        key: the object that is wanted there.
    """
    if _first_process() != os.getpid():
        raise EngineError(
            "a process that was forked from one that reads object storage can't read it itself;"
            " make the pool with mp_context=multiprocessing.get_context('spawn')"
        )
    check_endpoints()
    try:
        settings = current()
        _make_contact(url, url.key if key is None else key, settings)
        return _make_store(url.scheme, url.root, settings)
    except (FanfoldError, _UnreachableError):
        raise
    except _Errors as error:
        said = without_secrets(str(error).partition("\n")[0])
        raise ParameterError(
            f"{shown(url.root)}: the settings for it can't be ({said}); see docs/storage.md"
        ) from error


@lru_cache(maxsize=1)
def _first_process() -> int:
    """The process that first asked for a store: obstore's threads live in that one alone."""
    return os.getpid()


class _UnreachableError(ConnectionError):
    """A server to which no connection could be made; what obstore said of that."""

    def __init__(self, server: str, why: str | None) -> None:
        super().__init__(
            f"{server} can't be reached ({why or 'no connection in time'}); check the URL, the"
            " endpoint and the network"
        )


def _unreachable(error: Exception) -> _UnreachableError:
    said = str(error)
    asked, why = _ASKED_URL.search(said), _CONNECTION_SAID.search(said)
    return _UnreachableError(
        shown(asked[1]) if asked else "the store", (why[1] or why[2]) if why else None
    )


def _make_contact(url: Url, key: str, settings: Settings) -> None:
    """Reach a server for the first time, within seconds.

    obstore tries again for long, whether the server isn't there or its certificate isn't trusted:
    once it was reached it is known to be right, and what fails later may pass.

    Raises:
        ParameterError: its certificate isn't trusted, or it doesn't speak TLS.
        _UnreachableError: no connection to it can be made.
    """
    server = f"{url.scheme}://{urlsplit(url.without_login).netloc}" if url.is_web else url.root
    reached = _was_reached(server, settings)
    if reached.is_set():
        return
    is_plain = _is_plain(url.root, settings)
    connect = partial(_connect, url) if is_plain else partial(_ask_once, url, key, settings)
    end = time.monotonic() + contact_timeout().total_seconds()
    pause = _FIRST_PAUSE.total_seconds()
    while (fault := connect()) is not None:
        if time.monotonic() + pause + _CONNECT.total_seconds() > end:
            raise fault
        time.sleep(pause)
        pause *= 2
    reached.set()


def _connect(url: Url) -> _UnreachableError | None:
    """Connect to a server that needs no TLS, and to nothing where a proxy does that."""
    where = urlsplit(url.root if url.is_web else endpoint_of(url.scheme))
    if not where.hostname or proxy_of(Url(where.scheme, where.geturl(), "")) is not None:
        return None
    address = where.hostname, where.port or {"https": 443}.get(where.scheme, 80)
    try:
        socket.create_connection(address, CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "there can be no such host"
        return _UnreachableError(f"{where.scheme}://{where.netloc.rpartition('@')[2]}", why)
    return None


def _ask_once(url: Url, key: str, settings: Settings) -> _UnreachableError | None:
    """Ask a server once, behind TLS; the error if no connection could be made.

    Raises:
        ParameterError: its certificate isn't trusted, or it doesn't speak TLS.
    """
    try:
        _make_store(url.scheme, url.root, settings, patient=False).head(key)
    except _Errors as error:
        if (found := _TLS_FAULT.search(str(error))) is not None:
            raise ParameterError(_tls_fault(url, error, found)) from as_cause(error)
        return _unreachable(error) if _NO_CONNECTION.search(str(error)) else None
    return None


def _tls_fault(url: Url, error: Exception, found: re.Match[str]) -> str:
    """Why there is no TLS, and what to do."""
    asked = _ASKED_URL.search(str(error))
    told = f"{shown(asked[1] if asked else url.root)}: TLS"
    if found[1] == "InvalidCertificate":
        check_certificates()
        is_aws = url.scheme == "s3" or url.is_web
        names = f"{CERTIFICATES_OF_S3} or {CERTIFICATES}" if is_aws else CERTIFICATES
        advice = _OF_CERTIFICATES.get(
            found[2].removesuffix("Context"), f"give the file of its CA's certificate in {names}"
        )
        return f"{told}: the server's certificate is not trusted ({found[2]}); {advice}"
    said = " ".join(each for each in found.groups() if each)
    return (
        f"{told}: no secure connection ({said}); check the URL, its port, and whether it is http://"
    )


@lru_cache(maxsize=64)
def _was_reached(_server: str, _settings: Settings) -> threading.Event:
    """Is set once a server was reached."""
    return threading.Event()


def _is_plain(root: str, settings: Settings) -> bool:
    """Whether a store may be reached without TLS."""
    return root.startswith("http://") or any(
        _PLAIN_HTTP.fullmatch(f"{name}={value}") for name, value in settings
    )


@lru_cache(maxsize=64)
def _make_store(scheme: str, root: str, settings: Settings, *, patient: bool = True) -> ObjectStore:
    """A store; one that is not patient is asked a single time, and not for long."""
    client_options: ClientConfig = {
        "connect_timeout": _CONNECT,
        "allow_http": _is_plain(root, settings),
        "read_timeout": read_timeout(),
        "timeout": _LONGEST_REQUEST if patient else _FIRST_REQUEST,
        "user_agent": f"fanfold/{VERSION}",
    }
    retry_config: RetryConfig = {
        "max_retries": _MANY_RETRIES if patient else 0,
        "retry_timeout": retry_timeout(),
        "backoff": {
            "init_backoff": _FIRST_PAUSE,
            "max_backoff": _LONGEST_PAUSE,
            "base": _PAUSE_GROWTH,
        },
    }
    if scheme in {"http", "https"}:
        url = Url(scheme, root, "")
        certificates = certificates_of_s3()
        if certificates is not None:
            client_options["root_certificate"] = certificates
        if url.authorization:
            # obstore doesn't send a URL's login; this is not sent on to another host.
            client_options["default_headers"] = {"authorization": url.authorization}
        return HTTPStore(
            url.without_login, client_options=client_options, retry_config=retry_config
        )
    if scheme == "s3":
        return s3.make_store(root.partition("://")[2], client_options, retry_config)
    return from_url(root, client_options=client_options, retry_config=retry_config)


def _changed(source: Source) -> str:
    return (
        f"{shown(source.url)}: changed while it was being read; nothing was reported."
        " Run again when nothing writes to it"
    )


def _unreadable(location: str, error: Exception) -> str:
    return f"{shown(location)}: can't be read: {_reason(error, parse_object(location))}"


def _kind(url: Url, error: Exception) -> type[SourceError]:
    """The error that tells of an object that can't be pinned."""
    status = _status(error)
    if url.is_web and status is not None:
        return SourceMissingError if status in GONE else SourceError
    if isinstance(error, FileNotFoundError):
        return SourceMissingError
    return SourceElsewhereError if _is_elsewhere(error) else SourceError


def _status(error: Exception) -> int | None:
    """The status that a server answered with, if that was the error."""
    found = _STATUS.search(str(error).partition("\n")[0])
    return None if found is None else int(found[1])


def _lack(error: Exception) -> str:
    """Why a web server's object can't be read by ranges."""
    said = str(error)
    if "status code: 416" in said:
        return "its server finds no first byte in it"
    return (
        "its server has no byte ranges"
        if "Range request not supported" in said
        else "its server doesn't tell its size"
    )


def _conflicts(error: Exception) -> bool:
    """Whether S3 says that another operation came between."""
    return _CONFLICT in str(error)


def _lacks_conditions(error: Exception) -> bool:
    """Whether a store says that it can't write under a condition."""
    return (
        isinstance(error, obstore.exceptions.NotSupportedError)
        or _NO_CONDITIONS.search(str(error)) is not None
    )


def _is_elsewhere(error: Exception) -> bool:
    """Whether S3 says that the bucket is in another region."""
    return _ELSEWHERE.search(str(error)) is not None


def _reason(error: Exception, url: Url | None = None) -> str:
    """What a store or a web server said, in a line, and what to do."""
    status = _status(error)
    if url is not None and url.is_web and status is not None:
        return refusal(status, url)
    if isinstance(error, _UnreachableError) or _NO_CONNECTION.search(str(error)):
        return str(error if isinstance(error, _UnreachableError) else _unreachable(error))
    return _said_by_store(error)


def _said_by_store(error: Exception) -> str:
    match error:
        case FileNotFoundError() if "NoSuchUpload" in str(error):
            return "the connection failed as it ended; run again: what is finished is kept"
        case FileNotFoundError():
            return "there is no such object (or bucket); check the URL and the endpoint"
        case obstore.exceptions.PermissionDeniedError() | obstore.exceptions.UnauthenticatedError():
            return (
                "the store refuses; check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, ...), or"
                " give --no-sign-request where none are needed"
            )
    if _is_elsewhere(error):
        return "the bucket is in another region; set AWS_REGION, or give --region"
    said = without_secrets(str(error).partition("\n")[0])
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    # What else a server answers may be a page of HTML, or tell a signature.
    said = re.sub(r"(status code: \d+[\w ]*:|<\?xml).*", rf"\1 {code[1] if code else ''}", said)
    said = said.replace("<?xml", "")
    said = re.sub(r"Generic \w+ error: |Error performing list request: ", "", said)
    said = re.sub(
        r"Error performing \w+ \S+ in \S+?(, after \d+ retries)?(,.*?)? +- ", r"\1: ", said
    )
    said = re.sub(r"\?\S+", "?…", said).strip(" :,")[:300]
    return f"{said}; check the store and the network, then run again: what is finished is kept"
