"""The API's client, for every end: `fanfold serve`, and a deployment on AWS.

    with Client("http://127.0.0.1:8000") as client:
        job = client.submit(ChunkRequest("demo", "input/genome.fa")).job
        print(client.job(job).state)

Requests to API Gateway (hosts of execute-api) are signed with the caller's AWS credentials, which
takes botocore, of the extra ``aws``. Any other host gets the token of a server, or nothing.
"""

# ruff: noqa: PLC0415 - botocore and urllib3 are imported where they are needed, if installed
from __future__ import annotations

import os
import random
import re
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from fanfold._kernel import VERSION
from fanfold.api.types import ChunkAnswer, ChunkRequest, Job, Jobs, Logs, Phase, Problem, is_job
from fanfold.errors import CloudError, ParameterError
from fanfold.objects import BLOCK_BYTES
from fanfold.objects.settings import (
    CERTIFICATES_OF_S3,
    certificates_of_s3,
    read_timeout,
    retry_timeout,
)
from fanfold.shown import as_cause, shown, without_secrets

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session
    from urllib3 import BaseHTTPResponse, PoolManager

_SERVICE = "execute-api"
_HOST_OF_AWS = re.compile(
    r"[a-z0-9.-]+\.execute-api\.([a-z0-9-]+)\."
    r"(?:(?:vpce\.)?amazonaws\.com(?:\.cn)?|api\.aws)\.?"
)
"""A host of API Gateway, and its region. All of it counts: anyone can have a host that only begins
like one."""
_EMULATED = re.compile(r"/_aws/execute-api/[^/]+/[^/]+")
"""The path of an API in an emulator of AWS (ministack, LocalStack), signed for on loopback."""

TOKEN = "FANFOLD_TOKEN"  # noqa: S105 - a variable's name
_TOKEN_IN_URL = "token="  # noqa: S105 - where a server's own URL has it

_PAGES = re.compile(r"/(chunk|watch/[0-9a-f]*)$")
"""What may stand behind an API's URL, where it was copied from a request or a page."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_CONNECT_SECONDS = 10.0
_MOST_PROBLEM_BYTES = 65_536

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 8.0
"""A pause before another try is drawn from 0 to a limit that doubles each time, so that many
callers who are refused at once don't meet again."""
_LONGEST_ASKED_SECONDS = 20.0
"""The longest pause that a server may ask for (Retry-After)."""

_PASSING = frozenset({429, 502, 503, 504})
"""Statuses of answers that may be others in a moment."""
_GATEWAY_FAILED = "urn:fanfold:problem:gateway-failed"
"""What the gateway answers, with status 500, when a function could not be run."""

_WHERE = (
    "is that the API's URL? `fanfold serve` prints it when it starts; deploy.sh prints it as"
    " api_url, it ends in /prod"
)

_REPEATED = re.compile(r"\s*(?:The Canonical String|[^.]*(?:Credential|Authorization|Signature)=)")

_Answer = TypeVar("_Answer")

_ENCODER = msgspec.json.Encoder()
_CHUNK_ANSWER, _LOGS = msgspec.json.Decoder(ChunkAnswer), msgspec.json.Decoder(Logs)
_JOB_ANSWER, _JOBS = msgspec.json.Decoder(Job), msgspec.json.Decoder(Jobs)
_PROBLEM, _ANY_PROBLEM = msgspec.json.Decoder(Problem), msgspec.json.Decoder(dict[str, object])


class Client:
    """Speaks with the API of one server or deployment.

    Every request may be sent twice: the same submission is the same job, and one that is cancelled
    stays so. So what fails for a moment is tried again. Connections are closed at the end of a
    ``with`` block.

    Args:
        api_url: its URL: of a server, as it printed it; of a deployment, ending in the stage
            (``…/prod``). What follows that may stand behind it: ``/chunk``, ``/watch/…``.
        profile: the profile of the AWS configuration files; what AWS_PROFILE says when None.
        token: the token of a server; what follows ``#token=`` in the URL, or what FANFOLD_TOKEN
            says, when None.

    Attributes:
        api_url: its URL, without a slash at the end.
        region: the region of a deployment on AWS; None for any other end.

    Raises:
        ParameterError: the URL can't be one, the token would be sent in the clear, botocore is
            missing, or there are no credentials.
    """

    def __init__(
        self, api_url: str, *, profile: str | None = None, token: str | None = None
    ) -> None:
        self.api_url, in_url = split_api_url(api_url)
        self.region: str | None = None
        self._session: Session | None = None
        self._token: str | None = None
        if is_signed_for(self.api_url):
            self._session, self._credentials = _sign_in(profile)
            self.region = self._find_region(self._session)
        else:
            self._token = _check_token(self.api_url, token or in_url or os.environ.get(TOKEN))
        self._pool = _pool(self.api_url, is_aws=self.region is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._pool.clear()

    def submit(self, asked: ChunkRequest) -> ChunkAnswer:
        """Ask for a genome to be analysed.

        Raises:
            CloudError: the API refuses, can't be reached, or isn't fanfold's; so for all methods.
        """
        return self._ask("POST", "/chunk", _CHUNK_ANSWER, body=_ENCODER.encode(asked))

    def job(self, job: str) -> Job:
        """Where a job is.

        Raises:
            ParameterError: the job's name can't be one; so for all methods that take one.
        """
        return self._ask("GET", f"/jobs/{check_job(job)}", _JOB_ANSWER)

    def jobs(self, *, limit: int | None = None, after: str | None = None) -> Jobs:
        """The newest jobs, or those that follow: `after` is what the answer before calls next."""
        return self._ask("GET", "/jobs", _JOBS, {"limit": limit, "next": after})

    def logs(
        self,
        job: str,
        *,
        slice_index: int | None = None,
        phase: Phase = "task",
        limit: int | None = None,
    ) -> Logs:
        """The last lines of one container of a job."""
        query = {"phase": phase, "slice": slice_index, "limit": limit}
        return self._ask("GET", f"/jobs/{check_job(job)}/logs", _LOGS, query)

    def cancel(self, job: str) -> Job:
        """Cancel a job that hasn't ended."""
        return self._ask("DELETE", f"/jobs/{check_job(job)}", _JOB_ANSWER)

    @contextmanager
    def opened_file(self, job: str, name: str) -> Iterator[Iterator[bytes]]:
        """The blocks of a file of a job's results, of a server; they end early if it breaks off."""
        from urllib3.exceptions import HTTPError

        url = f"{self.api_url}/jobs/{check_job(job)}/{quote(name)}"
        answer = self._send("GET", url, b"", preload=False)
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            yield answer.stream(BLOCK_BYTES)
        except HTTPError as error:
            raise CloudError(f"{self.api_url}: {_unreachable(error)}") from as_cause(error)
        finally:
            answer.close()  # a connection whose answer was read to its end is used again

    def _ask(
        self,
        method: str,
        path: str,
        decoder: msgspec.json.Decoder[_Answer],
        query: Mapping[str, str | int | None] | None = None,
        *,
        body: bytes = b"",
    ) -> _Answer:
        """The answer to a request; one that fails for a moment is sent again."""
        told = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.api_url + path + (f"?{urlencode(told, quote_via=quote)}" if told else "")
        answer = self._send(method, url, body)
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            return decoder.decode(answer.data)
        except msgspec.ValidationError as error:
            raise CloudError(
                f"{self.api_url}: the answer is not one that fanfold {VERSION} knows ({error}); use"
                " the version that is deployed there",
                answer.status,
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CloudError(
                f"{self.api_url}: answered with {_kind(answer)} instead of JSON; {_WHERE}",
                answer.status,
            ) from error

    def _send(
        self, method: str, url: str, body: bytes, *, preload: bool = True
    ) -> BaseHTTPResponse:
        """The answer to a request; what fails for a moment is tried again until the time is over.

        The last try is made as it ends, unless the server asks for a longer pause.
        """
        from urllib3.exceptions import HTTPError

        end = time.monotonic() + retry_timeout().total_seconds()
        limit_seconds = _FIRST_PAUSE_SECONDS
        while True:
            answer, failure = None, None
            try:
                answer = self._try(method, url, body, preload=preload)
                if not _may_pass(answer):
                    return answer
            except HTTPError as error:
                if _is_untrusted(error):
                    raise CloudError(f"{self.api_url}: {_unreachable(error)}") from as_cause(error)
                failure = error
            asked_seconds = _asked_pause(answer)
            left_seconds = end - time.monotonic()
            if left_seconds <= asked_seconds:
                if answer is None:
                    raise CloudError(f"{self.api_url}: {_unreachable(failure)}") from (
                        failure and as_cause(failure)
                    )
                return answer
            pause_seconds = random.uniform(0, limit_seconds)  # noqa: S311 - no secret
            time.sleep(min(asked_seconds + pause_seconds, left_seconds))
            limit_seconds = min(limit_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def _try(self, method: str, url: str, body: bytes, *, preload: bool) -> BaseHTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": f"fanfold/{VERSION}"}
        if body:
            headers["Content-Type"] = "application/json"
        if self.region is not None:
            headers = self._signed_headers(method, url, body, headers)
        elif self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = self._pool.request(
            method,
            url,
            body=body or None,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=preload,
        )
        if not preload and answer.status != 200:
            answer.read(_MOST_PROBLEM_BYTES, cache_content=True)
            answer.close()
        return answer

    def _signed_headers(
        self, method: str, url: str, body: bytes, headers: dict[str, str]
    ) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        request = AWSRequest(method=method, url=url, data=body, headers=headers)
        try:
            keys = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise ParameterError(_no_credentials(str(error))) from error
        SigV4Auth(keys, _SERVICE, self.region or "").add_auth(request)
        signed = dict(request.headers.items())
        if not all(value.isascii() and value.isprintable() for value in signed.values()):
            # urllib3 would refuse them too, and repeat them.
            raise ParameterError(
                _no_credentials(
                    "the keys or the region have a character that can't be, such as a line end"
                )
            )
        return signed

    def _refusal(self, answer: BaseHTTPResponse) -> CloudError:
        """The error that an answer which is none stands for."""
        status, told = answer.status, _problem(answer)
        if told is not None and told.type:
            detail, kind = told.detail, told.type
        else:
            said = told.detail if told is not None else _kind(answer)
            detail, kind = f"{self.api_url}: answered {status} with {said}", None
        if status == 401 and self.region is None:
            detail += f"; set {TOKEN}, or give the URL as the server printed it"
            return CloudError(detail, status, kind)
        if status == 403:
            return CloudError(detail + self._how_to_be_let_in(answer, kind), status, kind)
        if _may_pass(answer):
            return CloudError(f"{detail.rstrip('.')}; try again later", status, kind)
        return CloudError(detail if kind else f"{detail}; {_WHERE}", status, kind)

    def _how_to_be_let_in(self, answer: BaseHTTPResponse, problem: str | None) -> str:
        """What to do about a 403: nothing to add to one that a function explains."""
        kind = answer.headers.get("x-amzn-ErrorType", "").partition(":")[0]
        if self.region is None or (problem is not None and not kind):
            return ""
        if kind in {"MissingAuthenticationTokenException", "ForbiddenException"}:
            return f"; a signed request meets that where there is no such path; {_WHERE}"
        if kind == "ExpiredTokenException":
            return "; the credentials have expired: log in again"
        if kind in {"InvalidSignatureException", "IncompleteSignatureException"}:
            return (
                f"; check the secret key and this machine's clock; it was signed for {self.region}"
            )
        if kind == "UnrecognizedClientException":
            return "; the access key is not known: check AWS_PROFILE or AWS_ACCESS_KEY_ID"
        return "; the caller's AWS credentials need execute-api:Invoke on this API: see docs/aws.md"

    def _find_region(self, session: Session) -> str:
        host = urlsplit(self.api_url).hostname or ""
        found = _HOST_OF_AWS.fullmatch(host)
        region = (
            found[1]
            if found
            else os.environ.get("AWS_REGION") or session.get_config_variable("region")
        )
        if not region:
            raise ParameterError(
                f"{self.api_url}: its host doesn't tell the region; give --region, or AWS_REGION"
            )
        return str(region)


def split_api_url(api_url: str) -> tuple[str, str | None]:
    """The URL of an API as requests need it, and the token that a server's own URL holds.

    Raises:
        ParameterError: it can't be one.
    """
    try:
        parts = urlsplit(api_url.strip())
        host, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        parts, host = urlsplit(""), None
    token = parts.fragment.removeprefix(_TOKEN_IN_URL) or None
    is_foreign = parts.query or (token is not None and not parts.fragment.startswith(_TOKEN_IN_URL))
    if parts.scheme not in {"https", "http"} or not host or is_foreign:
        # A fragment may be a token, which `shown` only knows in a URL with its scheme.
        given = without_secrets(shown(api_url.partition("#")[0]))
        raise ParameterError(
            f"{given!r} is no API's URL: it is http://127.0.0.1:8000/, as"
            " `fanfold serve` prints it, or https://….execute-api.REGION.amazonaws.com/prod, as"
            " deploy.sh does"
        )
    if parts.username is not None:
        raise ParameterError(
            "the API's URL has a user in it: leave it out, requests are signed, or have a token"
        )
    path = _PAGES.sub("", parts.path.rstrip("/")).rstrip("/")
    url = f"{parts.scheme}://{parts.netloc}{path}"
    if parts.scheme == "http" and host not in _LOOPBACK and is_signed_for(url):
        raise ParameterError(f"{url}: write https://, or anyone underway could read along")
    return url, token


def is_signed_for(api_url: str) -> bool:
    """Whether requests to an API are signed: those to API Gateway, and to its emulators here."""
    parts = urlsplit(api_url)
    host = parts.hostname or ""
    is_emulated = host in _LOOPBACK and _EMULATED.fullmatch(parts.path) is not None
    return is_emulated or _HOST_OF_AWS.fullmatch(host) is not None


def check_job(job: str) -> str:
    """The name of a job.

    Raises:
        ParameterError: it can't be one.
    """
    name = job.strip().lower()
    if not is_job(name):
        raise ParameterError(
            f"{job!r} is no job: 32 hexadecimal digits, as `fanfold submit` and `fanfold jobs`"
            " print them"
        )
    return name


def is_passing(error: CloudError) -> bool:
    """Whether an error may be gone in a while: nobody answered, or only to say so."""
    return error.status is None or error.status in _PASSING or error.status >= 500


def _sign_in(profile: str | None) -> tuple[Session, Credentials]:
    """The session of botocore, and the credentials that it finds where boto3 would."""
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError as error:
        raise ParameterError(
            "requests to the API are signed by botocore: pip install 'fanfold[aws]'"
        ) from error
    try:
        session = botocore.session.Session(profile=profile)
        credentials = session.get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        raise ParameterError(_no_credentials(str(error))) from error
    if credentials is None:
        raise ParameterError(_no_credentials("none were found"))
    return session, credentials


def _no_credentials(reason: str) -> str:
    return (
        f"no AWS credentials to sign with: {without_secrets(reason).rstrip('.')}; set AWS_PROFILE"
        " (--profile), or AWS_ACCESS_KEY_ID and its secret, or log in: aws sso login"
    )


def _check_token(api_url: str, token: str | None) -> str | None:
    """The token, if there is one and nobody underway can read it.

    Raises:
        ParameterError: it can't be sent.
    """
    if not token:
        return None
    parts = urlsplit(api_url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ParameterError(
            f"{api_url}: anyone underway could read the token; use https://, or a tunnel: ssh -L"
            f" 8000:127.0.0.1:{parts.port or 80} {parts.hostname}, then --api http://127.0.0.1:8000"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ParameterError("the token has a character that can't be, such as a space")
    return token


def _pool(api_url: str, *, is_aws: bool) -> PoolManager:
    """What sends: through the environment's proxy, to whom the system or the AWS CLI trusts."""
    import urllib3

    certificates = None
    if is_aws:
        from botocore.httpsession import get_cert_path

        own = certificates_of_s3()
        certificates = get_cert_path(True) if own is None else os.environ[CERTIFICATES_OF_S3]
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout().total_seconds())
    parts = urlsplit(api_url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if parts.hostname in _LOOPBACK and not is_aws:  # no proxy leads to a server on this machine
        proxy = None
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, timeout=timeout, ca_certs=certificates)
    return urllib3.PoolManager(timeout=timeout, ca_certs=certificates)


def _is_untrusted(error: Exception) -> bool:
    """Whether a server's certificate is not trusted, which no other try changes."""
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in error.args)


def _may_pass(answer: BaseHTTPResponse) -> bool:
    """Whether the answer to the same request may be another in a moment."""
    if answer.status != 500:
        return answer.status in _PASSING
    told = _problem(answer)
    return told is not None and told.type == _GATEWAY_FAILED


def _asked_pause(answer: BaseHTTPResponse | None) -> float:
    """How many seconds the server asks to wait before the next try."""
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    wanted = float(asked) if asked.isascii() and asked.isdigit() else 0.0
    return min(wanted, _LONGEST_ASKED_SECONDS)


def _problem(answer: BaseHTTPResponse) -> Problem | None:
    """The problem document of an answer; one without a type if it is only a message."""
    try:
        told = _PROBLEM.decode(answer.data)
        return msgspec.structs.replace(told, detail=_without_secrets(told.detail))
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        said = _ANY_PROBLEM.decode(answer.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # What the gateway itself says has one or the other.
    message = said.get("message") or said.get("Message")
    if not isinstance(message, str):
        return None
    return Problem("", "", f'"{_without_secrets(message) or "refused"}"')


def _without_secrets(detail: str) -> str:
    """What was said, without what a gateway may repeat of the request: token and signature."""
    return _REPEATED.split(detail, maxsplit=1)[0].strip()


def _kind(answer: BaseHTTPResponse) -> str:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if not answer.data:
        return "nothing"
    return kind if kind and "json" not in kind else "what is no JSON of fanfold's"


def _unreachable(error: Exception | None) -> str:
    """Why no answer came, in plain words."""
    from urllib3 import exceptions

    seconds = read_timeout().total_seconds()
    reasons: dict[type[Exception], str] = {
        exceptions.NameResolutionError: "there is no such host; check --api, and the network",
        exceptions.NewConnectionError: "no connection; check --api, and the network",
        exceptions.ConnectTimeoutError: f"no connection within {_CONNECT_SECONDS:g} seconds; check"
        " --api, and the network",
        exceptions.ReadTimeoutError: f"no answer within {seconds:g} seconds; try again later",
        exceptions.ProxyError: "the proxy doesn't let it through; check HTTPS_PROXY and NO_PROXY",
        exceptions.SSLError: f"no secure connection ({without_secrets(error)}); check --api, and"
        " AWS_CA_BUNDLE (SSL_CERT_FILE for a server) if a proxy has a certificate of its own",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return "the connection broke off; try again"
