"""The API's client: every request is signed as the specification says, every failure is in words.

The API is a real HTTP server on loopback that checks the signatures.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from servers.api import (
    ACCESS_KEY,
    JOB,
    REGION,
    SECRET_KEY,
    STAGE,
    TOKEN,
    Answer,
    ApiServer,
    BreakOff,
    Seen,
    canonical_request,
    gateway_says,
    job_document,
    problem_document,
    sign,
)
from servers.tls import TlsProxy, make_certificates

from fanfold.api.client import Client, is_passing, is_signed_for, split_api_url
from fanfold.api.types import ChunkRequest
from fanfold.errors import CloudError, ParameterError

OTHER = "f" * 32


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No account of this machine's user is known, and nothing is waited for too long."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("FANFOLD_READ_TIMEOUT", "10")
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "10")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer() as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        started.set_job(JOB, [job_document()])
        yield started


@pytest.fixture
def client(server: ApiServer) -> Iterator[Client]:
    with Client(server.api_url) as made:
        yield made


def refusal(call: Callable[[], object], *words: str) -> CloudError:
    """The error that a call ends with: one or two lines, with the words, and nothing secret."""
    with pytest.raises(CloudError) as caught:
        call()
    message = str(caught.value)
    assert 1 <= len(message.splitlines()) <= 2
    for word in words:
        assert word in message
    assert_nothing_secret(message)
    return caught.value


def assert_nothing_secret(text: str) -> None:
    for secret in (ACCESS_KEY, SECRET_KEY, TOKEN, "Signature=", "AWS4", "x-amz-date"):
        assert secret not in text


# --- signatures -------------------------------------------------------------------------------


def test_the_check_of_signatures_knows_the_specification_s_own_example() -> None:
    """`get-vanilla` of the test suite for Signature Version 4."""
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    canonical = canonical_request(Seen("GET", "/", {}, headers, b""), sorted(headers))
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    scope = "20150830/us-east-1/service/aws4_request"

    assert sign(SECRET_KEY, scope, f"AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{hashed}") == (
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_every_request_is_signed_and_every_answer_has_its_type(
    server: ApiServer, client: Client
) -> None:
    server.logs = {
        "stream": "task/default/1",
        "lines": [{"time": "2026-11-24T21:00:00Z", "text": "hello"}],
    }
    asked = ChunkRequest("bucket", "input/gen öme+%.fa", (5, 8), canonical=True)

    answer = client.submit(asked)
    assert (answer.job, answer.estimate.slices) == (JOB, 4)
    assert client.job(JOB).slices.total == 4
    assert client.jobs(limit=5).jobs[0].created.tzinfo is not None
    assert client.logs(JOB, slice_index=2, phase="task", limit=9).lines[0].text == "hello"
    assert client.cancel(JOB).state == "CANCELLED"

    assert [(each.method, each.path) for each in server.seen] == [
        ("POST", f"{STAGE}/chunk"),
        ("GET", f"{STAGE}/jobs/{JOB}"),
        ("GET", f"{STAGE}/jobs"),
        ("GET", f"{STAGE}/jobs/{JOB}/logs"),
        ("DELETE", f"{STAGE}/jobs/{JOB}"),
    ]
    assert msgspec.json.decode(server.seen[0].body, type=ChunkRequest) == asked
    assert server.seen[0].headers["content-type"] == "application/json"
    assert server.seen[3].query == {"phase": "task", "slice": "2", "limit": "9"}


def test_a_query_is_signed_whatever_is_in_it(server: ApiServer, client: Client) -> None:
    server.set_job(OTHER, [job_document(OTHER)])

    first = client.jobs(limit=1)
    assert first.next == f"from {OTHER}"  # a space, which has two forms in a query
    assert [each.job for each in client.jobs(limit=1, after=first.next).jobs] == [OTHER]


def test_keys_without_a_session_are_enough(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    with Client(server.api_url) as client:
        assert client.job(JOB).job == JOB
    assert "x-amz-security-token" not in server.seen[0].headers


@pytest.mark.parametrize("by", ["variable", "argument"])
def test_a_profile_gives_keys_and_region(
    by: str, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        f"[profile work]\nregion = {REGION}\naws_access_key_id = {ACCESS_KEY}\n"
        f"aws_secret_access_key = {SECRET_KEY}\naws_session_token = {TOKEN}\n"
    )
    if by == "variable":
        monkeypatch.setenv("AWS_PROFILE", "work")
    with Client(server.api_url, profile="work" if by == "argument" else None) as client:
        assert client.job(JOB).job == JOB


def test_a_wrong_secret_is_told_and_nothing_of_what_the_gateway_repeats(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's answer holds all that was signed, the session's token among it."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with Client(server.api_url) as client:
        error = refusal(
            lambda: client.job(JOB), "does not match", "secret key", "clock", REGION, "403"
        )
    assert error.status == 403
    assert "x-amz-security-token" in server.seen[0].headers


def test_another_region_s_signature_is_told_with_its_region(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    with Client(server.api_url) as client:
        refusal(lambda: client.job(JOB), "signed for us-west-2")


def test_a_key_that_nobody_knows_is_told(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    with Client(server.api_url) as client:
        refusal(lambda: client.job(JOB), "access key", "AWS_PROFILE")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            gateway_says(403, "AccessDeniedException", "User is not authorized to access this"),
            ["not authorized", "execute-api:Invoke", "docs/aws.md"],
        ),
        (
            Answer(403, b'{"Message":"User: arn:aws:iam::1:user/x is not authorized"}'),
            ["arn:aws:iam::1:user/x", "execute-api:Invoke"],
        ),
        (
            gateway_says(403, "ExpiredTokenException", "The security token has expired"),
            ["expired", "log in again"],
        ),
        (gateway_says(403, "ForbiddenException", "Forbidden"), ["is that the API's URL?"]),
        (
            problem_document(403, "not-signed", "requests are signed: see docs/aws.md"),
            ["requests are signed: see docs/aws.md"],
        ),
        (
            gateway_says(
                403,
                "IncompleteSignatureException",
                "'x' not a valid key=value pair in Authorization header:"
                " 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/1, Signature=00'.",
            ),
            ['403 with "refused"', "secret key"],
        ),
        (Answer(403, b"<html>no</html>", {"Content-Type": "text/html"}), ["403", "text/html"]),
    ],
)
def test_a_403_says_what_to_do(
    answer: Answer, words: list[str], server: ApiServer, client: Client
) -> None:
    server.faults.append(answer)

    error = refusal(lambda: client.job(JOB), *words)

    assert error.status == 403
    assert not is_passing(error)


def test_a_403_that_a_function_explains_is_told_as_it_is(server: ApiServer, client: Client) -> None:
    server.faults.append(problem_document(403, "no-such-source", "s3://other: not a source"))

    error = refusal(lambda: client.submit(ChunkRequest("other", "x.fa")))

    assert str(error) == "s3://other: not a source"
    assert error.problem == "urn:fanfold:problem:no-such-source"


# --- refusals, and answers that are none ------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 500])
def test_a_problem_document_is_the_error(status: int, server: ApiServer, client: Client) -> None:
    server.faults.append(problem_document(status, "some-slug", "what was found, and what to do"))

    error = refusal(lambda: client.job(JOB))

    assert str(error) == "what was found, and what to do"
    assert (error.status, error.problem) == (status, "urn:fanfold:problem:some-slug")
    assert error.exit_code == 10
    assert len(server.seen) == 1, "no retry would change it"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), ["text/html", "API's URL?"]),
        (Answer(200), ["nothing instead of JSON", "API's URL?"]),
        (Answer(200, b"\xff\xfe", {"Content-Type": "application/json"}), ["no JSON", "API's URL?"]),
        (Answer(200, b'{"job": 1}'), ["not one that fanfold", "version that is deployed"]),
        (
            Answer(200, msgspec.json.encode(job_document(state="PAUSED"))),
            ["PAUSED", "version that is deployed"],
        ),
        (Answer(302, b"", {"Location": "https://x/login"}), ["302", "API's URL?"]),
        (Answer(404, b"<h1>Not Found</h1>", {"Content-Type": "text/html"}), ["404", "API's URL?"]),
        (Answer(404, b'["a"]', {"Content-Type": "application/json"}), ["404", "API's URL?"]),
        (Answer(500, b'{"message": "Internal server error"}'), ["500", "Internal server error"]),
    ],
)
def test_an_answer_that_is_none_is_told(
    answer: Answer, words: list[str], server: ApiServer, client: Client
) -> None:
    server.faults.append(answer)

    error = refusal(lambda: client.job(JOB), server.api_url, *words)

    assert error.status == answer.status
    assert len(server.seen) == 1


def test_a_path_that_is_not_the_api_s_is_told(server: ApiServer) -> None:
    with Client(server.url + STAGE.replace("prod", "stage")) as client:
        refusal(lambda: client.job(JOB), "no such path", "API's URL?", "/prod")


def test_fields_that_a_newer_api_adds_are_no_error(server: ApiServer, client: Client) -> None:
    server.set_job(JOB, [job_document(more={"new": True})])

    assert client.job(JOB).job == JOB


# --- what fails for a moment ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        *(Answer(status, b'{"message": "wait"}') for status in (429, 502, 503, 504)),
        problem_document(500, "gateway-failed", "no function could be run"),
        BreakOff(),
        BreakOff(after_bytes=7),
    ],
)
def test_what_fails_for_a_moment_is_asked_for_again(
    fault: Answer | BreakOff, server: ApiServer, client: Client
) -> None:
    server.faults += [fault, fault]

    assert client.submit(ChunkRequest("bucket", "input/genome.fa")).job == JOB
    assert len(server.seen) == 3
    assert len({each.body for each in server.seen}) == 1


def test_a_request_is_tried_until_the_time_is_over(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "600")
    monkeypatch.setattr("fanfold.api.client._LONGEST_PAUSE_SECONDS", 0.01)
    server.faults += [Answer(429, b"{}")] * 30

    with Client(server.api_url) as client:
        assert client.submit(ChunkRequest("bucket", "input/genome.fa")).job == JOB

    assert len(server.seen) == 31


def test_an_error_of_a_function_is_not_asked_for_again(server: ApiServer, client: Client) -> None:
    server.faults.append(problem_document(500, "internal", "look into the log."))

    refusal(lambda: client.job(JOB), "look into the log")

    assert len(server.seen) == 1


def test_every_try_is_signed_anew_and_waits_as_long_as_the_server_asks(
    server: ApiServer, client: Client
) -> None:
    server.faults.append(Answer(429, b"{}", {"Retry-After": "2"}))
    started = time.monotonic()

    client.job(JOB)

    assert time.monotonic() - started >= 2
    first, second = (each.headers for each in server.seen)
    assert first["x-amz-date"] < second["x-amz-date"]
    assert first["authorization"] != second["authorization"]


@pytest.mark.parametrize(
    ("fault", "words", "status"),
    [
        (gateway_says(429, "TooManyRequestsException", "Too Many Requests"), ["Too Many"], 429),
        (Answer(503, b"<html>", {"Content-Type": "text/html"}), ["503", "text/html"], 503),
        (problem_document(504, "late", "it took too long."), ["it took too long; try"], 504),
        (BreakOff(), ["broke off"], None),
        (BreakOff(after_bytes=7), ["broke off"], None),
        (Answer(200, b"{}", late_seconds=600), ["no answer within 0.3 seconds"], None),
    ],
)
def test_what_goes_on_failing_is_told_when_the_time_is_over(
    fault: Answer | BreakOff,
    words: list[str],
    status: int | None,
    server: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "2")
    if isinstance(fault, Answer) and fault.late_seconds:
        monkeypatch.setenv("FANFOLD_READ_TIMEOUT", "0.3")
    server.faults += [fault] * 1000

    with Client(server.api_url) as client:
        error = refusal(lambda: client.job(JOB), *words)

    assert len(server.seen) > 1
    assert error.status == status
    assert is_passing(error)


def test_nothing_is_tried_again_that_the_server_wants_later(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "10")
    server.faults += [Answer(429, b"{}", {"Retry-After": "15"})] * 20

    with Client(server.api_url) as client:
        refusal(lambda: client.job(JOB), "429")

    assert len(server.seen) == 1


def test_nobody_there_is_told(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - its variables
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.5")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/prod"
    with Client(url) as client:
        error = refusal(lambda: client.job(JOB), "no connection", "--api")
    assert is_passing(error)


def test_a_host_that_is_not_is_told(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - its variables
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.5")
    monkeypatch.setenv("NO_PROXY", "*")
    with Client("https://api.invalid/prod") as client:
        refusal(lambda: client.job(JOB), "no such host", "--api")


def test_a_server_without_tls_is_told(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.5")
    with Client(server.api_url.replace("http:", "https:")) as client:
        refusal(lambda: client.job(JOB), "no secure connection", "AWS_CA_BUNDLE")
    assert server.seen == []


def test_an_unknown_authority_is_told_at_once_and_can_be_made_known(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path)
    with TlsProxy(server.url, certificates) as proxy:
        started = time.monotonic()
        with Client(f"{proxy.url}{STAGE}") as client:
            refusal(lambda: client.job(JOB), "CERTIFICATE_VERIFY_FAILED", "AWS_CA_BUNDLE")
        assert time.monotonic() - started < 5
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.authority))
        with Client(f"{proxy.url}{STAGE}") as client:
            assert client.job(JOB).job == JOB


@pytest.mark.parametrize(
    ("name", "words"), [("gone.pem", "can't be read"), ("notes.pem", "holds no certificates")]
)
def test_a_file_of_authorities_that_is_none_is_told(
    server: ApiServer, name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.pem").write_text("no certificate")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / name))
    with pytest.raises(ParameterError, match=rf"AWS_CA_BUNDLE=.*{name}: {words}"):
        Client(server.api_url.replace("http:", "https:"))


def test_a_proxy_that_is_not_there_is_told(
    server: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.5")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with Client("https://api.invalid/prod") as client:
        refusal(lambda: client.job(JOB), "proxy", "HTTPS_PROXY")
    assert server.seen == []


def test_a_proxy_that_the_environment_names_is_used(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    with Client(f"http://localhost:9{STAGE}") as client:
        assert client.job(JOB).job == JOB
    assert server.seen[0].headers["host"] == "localhost:9"


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://a.execute-api.eu-west-3.amazonaws.com/prod", None),
        ("https://a.execute-api.eu-west-3.amazonaws.com/prod/", None),
        ("https://a.execute-api.eu-west-3.amazonaws.com/prod/chunk", None),
        (" https://a.execute-api.eu-west-3.amazonaws.com/prod/chunk/\n", None),
        ("https://api.example.org", "https://api.example.org"),
        ("http://127.0.0.1:8080/x/prod/chunk", "http://127.0.0.1:8080/x/prod"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        (f"http://127.0.0.1:8000/watch/{JOB}", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/#token=abc", "http://127.0.0.1:8000"),
    ],
)
def test_urls_are_understood_as_they_are_printed(given: str, url: str | None) -> None:
    assert split_api_url(given)[0] == (url or "https://a.execute-api.eu-west-3.amazonaws.com/prod")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("", "no API's URL"),
        ("prod", "no API's URL"),
        ("s3://bucket/key", "no API's URL"),
        ("https://", "no API's URL"),
        ("https://[x/prod", "no API's URL"),
        ("https://host:port/prod", "no API's URL"),
        ("https://host/prod?x=1", "no API's URL"),
        ("host:8000/#token=secret", "no API's URL"),
        ("ftp://host:8000/#token=secret", "no API's URL"),
        ("http://host:8000/?x=1#token=secret", "no API's URL"),
        ("https://user:secret@host/prod", "has a user in it"),
        ("http://a.execute-api.eu-west-3.amazonaws.com/prod", "https://"),
    ],
)
def test_a_url_that_can_not_be_the_api_s_is_refused(given: str, word: str) -> None:
    with pytest.raises(ParameterError, match=word) as caught:
        split_api_url(given)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("a1.execute-api.eu-west-3.amazonaws.com", "eu-west-3"),
        ("a1-vpce-1.execute-api.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("vpce-1.execute-api.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("a1.execute-api.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("a1.execute-api.eu-west-3.api.aws", "eu-west-3"),
    ],
)
def test_the_region_is_the_host_s(
    host: str,
    region: str,
    server: ApiServer,  # noqa: ARG001 - its variables
) -> None:
    with Client(f"https://{host}/prod") as client:
        assert client.region == region


def test_a_region_that_nobody_tells_is_asked_for(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ParameterError, match="--region"):
        Client(server.api_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with Client(server.api_url) as client:
        assert client.region == REGION


def test_no_credentials_is_told_before_anything_is_sent(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ParameterError, match=r"no AWS credentials.*aws sso login"):
        Client(server.api_url)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ParameterError, match="nobody"):
        Client(server.api_url)
    assert server.seen == []


@pytest.mark.parametrize("name", ["", "xyz", JOB[:-1], f"{JOB}0", f"{JOB[:-1]}/", "../" + JOB])
def test_a_name_that_can_not_be_a_job_s_is_never_sent(
    name: str, server: ApiServer, client: Client
) -> None:
    with pytest.raises(ParameterError, match="32 hexadecimal digits"):
        client.job(name)
    assert server.seen == []


def test_a_job_s_name_is_taken_with_what_copying_adds(server: ApiServer, client: Client) -> None:
    assert client.job(f" {JOB.upper()}\n").job == JOB
    assert server.seen[0].path.endswith(JOB)


def test_without_botocore_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules.update(boto3=None, botocore=None)\n"
        "from fanfold.api.client import Client\n"
        "Client('https://a.execute-api.eu-west-3.amazonaws.com/prod')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "ParameterError" in done.stderr
    assert "pip install 'fanfold[aws]'" in done.stderr


# --- servers ----------------------------------------------------------------------------------


def asked_of(server: ApiServer, url: str, **options: str) -> Seen:
    """What a server sees of a client that asks it for a job."""
    with Client(url, **options) as client, pytest.raises(CloudError):
        client.job(JOB)  # it refuses, since nothing is signed
    return server.seen[-1]


def test_another_host_gets_no_signature_and_no_token_that_is_not_its_own(
    server: ApiServer,
) -> None:
    seen = asked_of(server, server.url)

    assert "authorization" not in seen.headers
    assert not [name for name in seen.headers if name.startswith("x-amz")]


@pytest.mark.parametrize(
    "host",
    [
        "a1.execute-api.eu-west-3.amazonaws.com.example.org",
        "a1.execute-api.eu-west-3.amazonaws.community",
        "a1.execute-api.eu-west-3.api.aws.example.org",
        "execute-api.eu-west-3.amazonaws.com",
        "api.example.org",
    ],
)
def test_a_host_that_only_looks_like_api_gateway_is_not_signed_for(
    host: str,
    server: ApiServer,  # noqa: ARG001 - its variables
) -> None:
    assert not is_signed_for(f"https://{host}/prod")
    with Client(f"https://{host}/prod") as client:
        assert client.region is None


def test_the_path_of_an_emulator_counts_on_loopback_alone() -> None:
    assert is_signed_for(f"http://127.0.0.1:4566{STAGE}")
    assert not is_signed_for(f"https://api.example.org{STAGE}")
    assert not is_signed_for("http://127.0.0.1:4566/prod")


def test_a_server_gets_its_token_in_a_header_alone(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = asked_of(server, f"{server.url}/#token=of-the-url")
    assert seen.headers["authorization"] == "Bearer of-the-url"
    monkeypatch.setenv("FANFOLD_TOKEN", "of-the-environment")
    seen = asked_of(server, server.url)
    assert seen.headers["authorization"] == "Bearer of-the-environment"
    assert "of-the-environment" not in f"{seen.path}{seen.query}"


def test_api_gateway_gets_no_token(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_TOKEN", "of-a-server-elsewhere")
    with Client(server.api_url) as client:
        client.job(JOB)
    assert server.seen[-1].headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert "of-a-server-elsewhere" not in str(server.seen[-1])


def test_a_redirect_is_not_followed(server: ApiServer) -> None:
    server.faults.append(Answer(307, b"", {"Location": f"{server.url}/elsewhere"}))
    with Client(f"{server.url}/#token=secret-of-the-server") as client:
        refusal(lambda: client.job(JOB), "answered 307")
    assert len(server.seen) == 1


def test_a_token_that_others_could_read_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_TOKEN", "secret-of-the-server")
    with pytest.raises(ParameterError, match=r"ssh -L 8000:127.0.0.1:8000 node7") as caught:
        Client("http://node7:8000/")
    assert "secret" not in str(caught.value)


def test_a_server_needs_no_package_of_aws(server: ApiServer) -> None:
    program = (
        "import sys; sys.modules.update(boto3=None, botocore=None)\n"
        "from fanfold.api.client import Client\n"
        f"Client('{server.url}').job('{JOB}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "CloudError" in done.stderr
    assert len(server.seen) == 1
