"""How a store is found: the environment, the options and the profiles that its users know."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from servers.proxy import FaultProxy, Request
from servers.s3 import S3Server

from stores.driving import BUCKET, FANFOLD, FORMS, OPTIONS, assert_told, command, results, succeed

LOCATION = f"s3://{BUCKET}/genome.fa"
GONE = "http://127.0.0.1:1"
KEY, SECRET, TOKEN = "AKIDKEYOFTHETEST", "SeCrEtOfTheTest", "ToKeNoFtHeTeSt"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
WITHOUT_BOTO3 = (
    sys.executable,
    "-c",
    "import sys; sys.modules.update(boto3=None, botocore=None); import fanfold.cli as c; c.main()",
)


@pytest.fixture
def seen(s3: S3Server) -> Iterator[FaultProxy]:
    """A proxy before S3 that breaks nothing: its log is what S3 is asked."""
    with FaultProxy(s3.endpoint_url) as started:
        yield started


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """No credentials, no endpoint: what every test here begins with."""
    return {
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="module")
def northern(s3: S3Server) -> str:
    """The genome in a bucket of another region than is taken where none is told."""
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        region_name="eu-north-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(
        Bucket="northern", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
    )
    client.put_object(Bucket="northern", Key="genome.fa", Body=FORMS["genome.fa"])
    client.close()
    return "s3://northern/genome.fa"


def signed_by(request: Request) -> tuple[str, str]:
    """The key and the region that a request is signed with."""
    scope = request.headers["authorization"].partition("Credential=")[2].split("/")
    return scope[0], scope[2]


def write_profiles(variables: dict[str, str], config: str, credentials: str = "") -> None:
    Path(variables["AWS_CONFIG_FILE"]).write_text(config)
    Path(variables["AWS_SHARED_CREDENTIALS_FILE"]).write_text(credentials)


@pytest.mark.parametrize(
    ("told", "options"),
    [
        ({"AWS_ENDPOINT_URL": "*"}, []),
        ({"AWS_ENDPOINT_URL_S3": "*"}, []),
        ({"AWS_ENDPOINT_URL_S3": "*", "AWS_ENDPOINT_URL": GONE}, []),
        ({}, ["--endpoint-url", "*"]),
        ({"AWS_ENDPOINT_URL": GONE}, ["--endpoint-url", "*"]),
        ({"AWS_ENDPOINT_URL_S3": GONE}, ["--endpoint-url", "*"]),
    ],
)
def test_the_endpoint_is_where_the_environment_or_the_option_says(
    seen: FaultProxy, variables: dict[str, str], out: Path, told: dict[str, str], options: list[str]
) -> None:
    variables |= KEYS | {name: value.replace("*", seen.url) for name, value in told.items()}
    arguments = ["run", LOCATION, *[value.replace("*", seen.url) for value in options]]
    succeed(*arguments, "--out", out, *OPTIONS, variables=variables)
    assert (out / "master.json").exists()
    assert seen.log()


@pytest.mark.parametrize(
    ("told", "option", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, None, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, None, "eu-west-2"),
        ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-1"}, None, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-3", "eu-west-3"),
        ({}, "eu-west-3", "eu-west-3"),
        ({}, None, "us-east-1"),
    ],
)
def test_the_region_is_what_the_environment_or_the_option_says(  # noqa: PLR0917 - one row a case
    seen: FaultProxy,
    variables: dict[str, str],
    out: Path,
    told: dict[str, str],
    option: str | None,
    region: str,
) -> None:
    variables |= KEYS | told | {"AWS_ENDPOINT_URL": seen.url}
    arguments: list[str | Path] = ["run", LOCATION, "--out", out, *OPTIONS]
    done = command(*arguments, *(["--region", option] if option else []), variables=variables)
    assert {signed_by(exchange.request) for exchange in seen.log()} == {(KEY, region)}
    if region == "us-east-1":
        assert done.returncode == 0, done.stderr
    else:
        assert_told(done, 4, LOCATION, "the bucket is in another region; set AWS_REGION")


@pytest.mark.parametrize("way", ["variable", "option", "default"])
def test_a_profile_tells_keys_region_and_endpoint(
    seen: FaultProxy, variables: dict[str, str], out: Path, way: str, northern: str
) -> None:
    section = "default" if way == "default" else "profile lab"
    name = section.removeprefix("profile ")
    write_profiles(
        variables,
        f"[{section}]\nregion = eu-north-1\nendpoint_url = {seen.url}\n",
        f"[{name}]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
        f"aws_session_token = {TOKEN}\n",
    )
    options: list[str] = []
    if way == "variable":
        variables["AWS_PROFILE"] = "lab"
    elif way == "option":
        options = ["--profile", "lab"]
        variables |= {"AWS_ACCESS_KEY_ID": "another", "AWS_SECRET_ACCESS_KEY": "other"}

    succeed("run", northern, "--out", out, *OPTIONS, *options, variables=variables)

    asked = [exchange.request for exchange in seen.log()]
    assert {signed_by(request) for request in asked} == {(KEY, "eu-north-1")}
    assert {request.headers["x-amz-security-token"] for request in asked} == {TOKEN}


def test_keys_in_the_environment_come_before_the_default_profile(
    seen: FaultProxy, variables: dict[str, str], out: Path, northern: str
) -> None:
    write_profiles(
        variables,
        "[default]\nregion = eu-north-1\n",
        "[default]\naws_access_key_id = another\naws_secret_access_key = other\n",
    )
    told = {"AWS_ENDPOINT_URL": seen.url}
    succeed("run", northern, "--out", out, *OPTIONS, variables=variables | KEYS | told)
    assert {signed_by(exchange.request) for exchange in seen.log()} == {(KEY, "eu-north-1")}


def test_the_endpoint_of_a_profile_holds_for_keys_in_the_environment(
    seen: FaultProxy, variables: dict[str, str], out: Path, northern: str
) -> None:
    write_profiles(variables, f"[profile lab]\nregion = eu-north-1\nendpoint_url = {seen.url}\n")
    told = {"AWS_PROFILE": "lab"}
    succeed("run", northern, "--out", out, *OPTIONS, variables=variables | KEYS | told)
    assert {signed_by(exchange.request) for exchange in seen.log()} == {(KEY, "eu-north-1")}


@pytest.mark.parametrize("keys", [{}, KEYS], ids=["no keys", "keys"])
def test_nothing_is_signed_when_that_is_asked(
    seen: FaultProxy, variables: dict[str, str], out: Path, keys: dict[str, str]
) -> None:
    told = {"AWS_ENDPOINT_URL": seen.url, **keys}
    options: list[str | Path] = [*OPTIONS, "--no-sign-request"]
    succeed("run", LOCATION, "--out", out, *options, variables=variables | told)
    assert seen.log()
    assert not [each for each in seen.log() if "authorization" in each.request.headers]


@pytest.mark.parametrize("program", [(FANFOLD,), WITHOUT_BOTO3], ids=["boto3", "no boto3"])
def test_no_credentials_are_an_error_in_words_and_nothing_is_asked(
    seen: FaultProxy, variables: dict[str, str], out: Path, program: tuple[str, ...]
) -> None:
    told = {"AWS_ENDPOINT_URL": seen.url}
    done = command("run", LOCATION, "--out", out, variables=variables | told, program=program)
    assert_told(done, 2, f"s3://{BUCKET}: no credentials", "--no-sign-request", "AWS_ACCESS_KEY_ID")
    assert seen.log() == []
    assert not out.exists()


def test_a_profile_that_is_not_there_is_an_error_in_words(
    variables: dict[str, str], out: Path
) -> None:
    write_profiles(variables, "[profile lab]\nregion = eu-north-1\n")
    options: list[str | Path] = ["--profile", "lob"]
    done = command("run", LOCATION, "--out", out, *options, variables=variables)
    assert_told(done, 2, "lob", "AWS_PROFILE")


def test_a_configuration_file_that_is_none_is_an_error_in_words(
    variables: dict[str, str], out: Path
) -> None:
    write_profiles(variables, "no section\n")
    done = command("run", LOCATION, "--out", out, variables=variables)
    assert_told(done, 2, variables["AWS_CONFIG_FILE"])


@pytest.mark.parametrize(
    ("location", "told", "words"),
    [
        ("az://bucket/genome.fa", {}, "Account must be specified"),
        ("gs://bucket/genome.fa", {"GOOGLE_SERVICE_ACCOUNT": "/not/there"}, "/not/there"),
    ],
)
def test_settings_that_cannot_be_are_told(
    location: str, told: dict[str, str], words: str, out: Path
) -> None:
    done = command("run", location, "--out", out, variables=told)
    assert_told(done, 2, "the settings for it can't be", words)
    assert not out.exists()


@pytest.mark.parametrize("setting", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize(
    "value", ["localhost", "http://", "ftp://x", "http://[::1", "http://x:70000"]
)
def test_an_endpoint_that_can_not_be_is_named(
    variables: dict[str, str], out: Path, setting: str, value: str
) -> None:
    told = variables | {setting: value, **KEYS}
    done = command("run", LOCATION, "--out", out, variables=told)
    assert_told(done, 2, f"{setting}=", "not where a store is; write https://host")


@pytest.mark.parametrize("setting", ["FANFOLD_READ_TIMEOUT", "FANFOLD_RETRY_TIMEOUT"])
@pytest.mark.parametrize("value", ["soon", "0", "nan", "1e99"])
def test_a_wait_that_is_no_time_is_refused(
    seen: FaultProxy, variables: dict[str, str], out: Path, setting: str, value: str
) -> None:
    told = {"AWS_ENDPOINT_URL": seen.url, setting: value, **KEYS}
    done = command("run", LOCATION, "--out", out, variables=variables | told)
    assert_told(done, 2, f"{setting}={value}: give seconds")


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.bgz"])
def test_keys_are_enough_without_boto3(
    s3: S3Server,
    variables: dict[str, str],
    out: Path,
    name: str,
    expected: dict[str, dict[str, bytes]],
) -> None:
    arguments: list[str | Path] = ["run", f"s3://{BUCKET}/{name}", "--out", out, *OPTIONS]
    done = command(*arguments, variables=variables | s3.environment(), program=WITHOUT_BOTO3)
    assert done.returncode == 0, done.stderr
    assert results(out) == expected[name]
    facts = (out / "run.json").read_text()
    assert "not asked for: it takes pip install 'fanfold[aws]'" in facts


def test_no_secret_is_written_or_told(
    seen: FaultProxy, variables: dict[str, str], tmp_path: Path, s3: S3Server
) -> None:
    variables |= KEYS | {"AWS_SESSION_TOKEN": TOKEN, "AWS_ENDPOINT_URL": seen.url}
    variables["FANFOLD_RETRY_TIMEOUT"] = "0.2"
    s3.put(BUCKET, "bad.fa", b"@read\nACGT\n")
    prefix, out = tmp_path.name, tmp_path / "out"
    told = []
    for arguments in (
        ["run", LOCATION, "--out", out],
        ["run", LOCATION, "--out", f"s3://{BUCKET}/{prefix}"],
        ["plan", f"{LOCATION}.gz", "--out", f"s3://{BUCKET}/{prefix}-plan"],
        ["task", f"s3://{BUCKET}/{prefix}-plan/plan.json", "--index", "0"],
        ["fold", f"s3://{BUCKET}/{prefix}-plan/plan.json"],
        ["run", f"s3://{BUCKET}/bad.fa", "--out", tmp_path / "bad"],
        ["run", f"s3://{BUCKET}/gone.fa", "--out", out],
        ["run", LOCATION, "--out", out, "--fresh", "--endpoint-url", GONE],
        ["--debug", "run", LOCATION, "--out", out, "--fresh", "--endpoint-url", GONE],
    ):
        done = command(*arguments, variables=variables)
        told.append((done.stdout + done.stderr).encode())

    told += [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    told += [s3.get(BUCKET, key) for key in s3.keys(BUCKET, prefix)]
    assert len(told) >= 30
    assert signed_by(seen.log()[0].request)[0] == KEY
    for secret in (KEY, SECRET, TOKEN):
        assert not [text for text in told if secret.encode() in text]
