"""No secret is in anything that fanfold prints, or in a file that others can read.

Every command is given secrets in every place where a user can put one: in URLs that are read, in
URLs that can't be, in options, in the environment. What it prints (a traceback, too) and writes is
searched for them in every form.
"""

from __future__ import annotations

import base64
import gzip
import json
import stat
import subprocess
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from servers.api import JOB, ApiServer, job_document
from servers.proxy import Answer, FaultProxy
from servers.s3 import S3Server, s3_server
from servers.warm import warm_fanfold
from servers.web import WebServer
from stores.driving import FANFOLD, clean_environment

import fanfold
from fanfold.errors import ParameterError, SourceError
from fanfold.objects import open_place
from fanfold.shown import describe, shown, without_secrets

GENOME = "s3://bucket/genome.fa"
DATA = Path(__file__).parents[1] / "data"
PHIX = (DATA / "phiX174.fa").read_bytes()

LOGIN = "us3r-n4me:pa55-w0rd"
SLASHED = "AKIA-us3r:pa55/w0rd+x"
SIGNED = "X-Amz-Algorithm=AWS4&X-Amz-Signature=s1gn%2Fature%3D"
TOKEN = "access_token=t0ken-t0ken"  # noqa: S105 - it opens nothing
KEY = "env1ron-s3cret-k3y"
SESSION = "env1ron/s3ssion+t0ken"

WORDS = ["us3r", "n4me", "pa55", "w0rd", "s1gn", "t0ken-t0ken", KEY, SESSION, "s3ssion"]
SECRETS = {
    form
    for word in [*WORDS, LOGIN, SLASHED]
    for form in (
        word,
        quote(word, safe=""),
        unquote(word),
        base64.b64encode(word.encode()).decode().rstrip("=")[:-1],
    )
}
"""In the header of a request, a login is in base64."""


def assert_kept(done: subprocess.CompletedProcess[str]) -> None:
    """Nothing secret was printed."""
    for text in (done.stdout, done.stderr):
        assert not [secret for secret in SECRETS if secret in text], text


def assert_files_kept(folder: Path) -> None:
    """Nothing secret is in the name of a file, or in a file that another user can read."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        assert not [secret for secret in SECRETS if secret in name], name
        if path.is_file() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            text = path.read_bytes()
            assert not [each for each in SECRETS if each.encode() in text], path


class World:
    """A web server, a store, an API, and a folder to write into."""

    def __init__(self, web: WebServer, s3: S3Server, api: ApiServer, folder: Path) -> None:
        self.web, self.s3, self.api, self.folder = web, s3, api, folder
        self.variables = {
            **s3.environment(),
            **api.environment(),
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"key").decode(),
            "AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:9",
            "AWS_EC2_METADATA_DISABLED": "true",
            "FANFOLD_RETRY_TIMEOUT": "0.1",
            "HOME": str(folder),
        }

    def located(self, location: str) -> str:
        return location.format(host=self.web.url.removeprefix("http://"))

    def run(
        self, *words: str | Path, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command, in its own words and with what it tells of where an error came from."""
        environment = clean_environment() | self.variables | dict(variables or {})
        done = warm_fanfold().run([FANFOLD, *map(str, words)], environment, folder=self.folder)
        assert_kept(done)
        return done


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket("bucket")
        server.put("bucket", "genome.fa", PHIX)
        yield server


@pytest.fixture
def world(s3: S3Server, tmp_path: Path) -> Iterator[World]:
    served, folder = tmp_path / "served", tmp_path / "world"
    served.mkdir()
    folder.mkdir()
    (served / "genome.fa").write_bytes(PHIX)
    (served / "genome.fa.gz").write_bytes(gzip.compress(PHIX))
    (folder / "good.fa").write_bytes(PHIX)
    with WebServer(served) as web, ApiServer() as api:
        api.set_job(JOB, [job_document()])
        yield World(web, s3, api, folder)
    assert_files_kept(folder)


LOCATIONS = [
    f"http://{LOGIN}@{{host}}/genome.fa?{SIGNED}#{TOKEN}",
    f"http://{LOGIN}@{{host}}/gone.fa?{SIGNED}",
    f"HTTP://{LOGIN}@127.0.0.1:9/genome.fa?{TOKEN}",
    f"https://{SLASHED}@{{host}}/genome.fa",
    f"https://{LOGIN}?@{{host}}/genome.fa",
    f"https://{LOGIN}@",
    f"https://{LOGIN}@{{host}}",
    f"ftp://{LOGIN}@{{host}}/genome.fa?{SIGNED}",
    f"FTP://{SLASHED}@{{host}}/genome.fa",
    f"file://{LOGIN}@{{host}}/genome.fa",
    f"s3://{LOGIN}@bucket/genome.fa",
    f"S3://{SLASHED}@bucket/genome.fa",
    f"s3://bucket/genome.fa?{SIGNED}",
    f"gs://{LOGIN}@bucket/genome.fa?{TOKEN}",
    "az://container/genome.fa?sv=1&sig=s1gn%2Fature%3D&se=2",
    f"abfss://{LOGIN}@account.dfs.core.windows.net/genome.fa",
]
SLIPS = [
    f"https:/{LOGIN}@{{host}}/genome.fa",
    f"{LOGIN}@{{host}}/genome.fa",
    f"//{LOGIN}@{{host}}/genome.fa",
    f"http//{LOGIN}@{{host}}/genome.fa",
]
"""What was meant for a URL, and is a path."""
QUERIES = [f"host/genome.fa?{SIGNED}", f"/genome.fa?{TOKEN}", f"file:///genome.fa?{SIGNED}"]


def commands_on(url: str) -> list[list[str]]:
    """The commands that take a location, each given this one."""
    return [
        ["run", url],
        ["run", url, "good.fa", "--out", "many"],
        ["plan", url, "--out", "planned"],
        ["check", url],
        ["task", url, "--index", "0"],
        ["submit", url],
    ]


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_keeps_its_secrets_in_every_command(location: str, world: World) -> None:
    url = world.located(location)
    for words in commands_on(url):
        done = world.run("--debug", *words)
        assert "Traceback" in done.stderr or done.returncode in {0, 2, 9}
        assert done.returncode != 1
    world.run("run", url, "--out", "alone")
    world.run("run", url, url, "--out", "twice")
    world.run("inflate", f"{url}/plan.json")
    for words in (["run", "good.fa"], ["plan", "good.fa"], ["submit", GENOME, "--wait"]):
        assert world.run("--debug", *words, "--out", url).returncode == 2


def test_what_python_shows_of_an_error_and_its_causes_has_no_secret(world: World) -> None:
    for path in (f"{LOGIN}@{{host}}/absent.fa", f"{{host}}/absent.fa?{SIGNED}"):
        with pytest.raises(SourceError) as raised:
            fanfold.run(world.located(f"http://{path}"), out=world.folder / "out")
        told = "".join(traceback.format_exception(raised.value))
        assert "absent.fa" in told
        assert not [secret for secret in SECRETS if secret in told]


@pytest.mark.parametrize("location", SLIPS)
def test_a_slip_of_the_pen_keeps_its_secrets(location: str, world: World) -> None:
    url = world.located(location)
    for words in (*commands_on(url), ["fold", url], ["status", url]):
        assert world.run(*words).returncode not in {0, 1}


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz"])
def test_a_signed_location_is_in_a_plan_that_its_owner_alone_can_read(
    name: str, world: World
) -> None:
    url = world.located(f"http://{LOGIN}@{{host}}/{name}?{SIGNED}")
    plan = world.folder / "out/plan.json"
    for words in (
        ["plan", url, "--out", "out"],
        ["task", plan, "--index", "0"],
        ["fold", plan],
        ["check", "out"],
        ["run", url, "--out", "out", "--fresh"],
        ["run", url, "--out", "out"],
    ):
        assert world.run(*words).returncode == 0
        assert stat.S_IMODE(plan.stat().st_mode) == 0o600
        assert json.loads(plan.read_bytes())["source"]["url"] == url
    others = {path for path in (world.folder / "out").rglob("*") if path.is_file()} - {plan}
    assert {stat.S_IMODE(path.stat().st_mode) for path in others} == {0o644}
    (world.folder / "other.fa").write_bytes(PHIX)
    assert world.run("plan", "other.fa", "--out", "other").returncode == 0
    assert stat.S_IMODE((world.folder / "other/plan.json").stat().st_mode) == 0o644


def test_a_signature_that_a_server_repeats_is_not_told(world: World) -> None:
    with FaultProxy(world.web.url) as proxy:
        url = proxy.url.replace("//", f"//{LOGIN}@") + f"/genome.fa?{SIGNED}"
        for status in (302, 400, 403, 500):
            for skip in (0, 2):
                headers = {"Location": f"ftp://{LOGIN}@host/?{SIGNED}"}
                proxy.clear()
                body = f"no such thing: {url}".encode()
                proxy.inject(Answer(status, body, headers), times=None, skip=skip)
                for debug in ([], ["--debug"]):
                    done = world.run(*debug, "run", url, "--out", f"{status}-{skip}")
                    assert done.returncode == 4


@pytest.mark.parametrize(
    "api",
    [
        f"https://{LOGIN}@127.0.0.1:9/prod",
        f"HTTPS://{SLASHED}@127.0.0.1:9/prod",
        f"http://{LOGIN}@example.org/prod",
        f"https://{LOGIN}@127.0.0.1:port/prod",
        f"https://127.0.0.1:9/prod?{TOKEN}",
        f"https://127.0.0.1:9/prod#{TOKEN}",
        f"ftp://{LOGIN}@127.0.0.1/prod",
        f"{LOGIN}@127.0.0.1/prod",
        f"https://{LOGIN}",
    ],
)
def test_the_url_of_an_api_keeps_its_secrets(api: str, world: World) -> None:
    (world.folder / ".config/fanfold").mkdir(parents=True)
    config = world.folder / ".config/fanfold/config.toml"
    config.write_text(f'api_url = "{api}"\n')
    config.chmod(0o600)
    for words in (["submit", GENOME], ["jobs"], ["status", JOB], ["logs", JOB]):
        done = world.run("--debug", *words, "--api", api)
        assert done.returncode == 2
    for variables in ({"FANFOLD_API_URL": api}, {"FANFOLD_API_URL": ""}):
        assert world.run("jobs", variables=variables).returncode == 2
    config.write_text(f"api_url = {api}\n")
    assert world.run("jobs", variables={"FANFOLD_API_URL": ""}).returncode == 2


@pytest.mark.parametrize(
    "endpoint",
    [
        f"http://{LOGIN}@127.0.0.1:9",
        f"HTTP://{LOGIN}@127.0.0.1:9/?{TOKEN}",
        f"http://{SLASHED}@127.0.0.1:9",
        f"ftp://{LOGIN}@127.0.0.1:9",
        f"{LOGIN}@127.0.0.1:9",
    ],
)
def test_an_endpoint_keeps_its_secrets(endpoint: str, world: World) -> None:
    given = ["run", GENOME, "--out", "out", "--endpoint-url", endpoint]
    for debug in ([], ["--debug"]):
        assert world.run(*debug, *given).returncode != 0
        there = ["run", "good.fa", "--out", "s3://bucket/x", *given[-2:]]
        assert world.run(*debug, *there).returncode != 0
        no_keys = {"AWS_ACCESS_KEY_ID": "", "AWS_REGION": "", "AWS_ENDPOINT_URL": endpoint}
        assert world.run(*debug, *given[:4], variables=no_keys).returncode != 0


@pytest.mark.parametrize(
    "address",
    [
        f"tcp://{LOGIN}@127.0.0.1:9",
        "tcp://t0ken-t0ken@127.0.0.1:9",
        f"wss://127.0.0.1:9/?{TOKEN}",
        f"tls://{SLASHED}@127.0.0.1:9",
        f"{LOGIN}@127.0.0.1:9",
    ],
)
def test_the_address_of_a_scheduler_keeps_its_secrets(address: str, world: World) -> None:
    for debug in ([], ["--debug"]):
        done = world.run(*debug, "run", "good.fa", "--dask", address)
        assert done.returncode == 2


def test_wrong_usage_repeats_no_secret(world: World) -> None:
    url = f"http://{LOGIN}@127.0.0.1:9/genome.fa?{SIGNED}"
    for words in (
        ["fold", url, url],
        ["run", "good.fa", "--slice-size", url],
        ["run", "good.fa", "-k", url],
        ["run", "good.fa", f"--{url}"],
        ["task", "plan.json", "--index", url],
        ["submit", GENOME, "--chunks", url],
    ):
        assert world.run(*words).returncode == 2


def test_a_url_that_is_taken_for_a_genome_keeps_its_secrets(world: World) -> None:
    assert world.run(f"http://{LOGIN}@127.0.0.1:9/genome.fa?{SIGNED}").returncode == 4


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_REGION": ""},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        {"AWS_ENDPOINT_URL": "not a URL"},
        {"AWS_REGION": "no region\n"},
        {"AWS_PROFILE": "none"},
        {"AWS_ACCESS_KEY_ID": f"{KEY}\n"},
        {"AWS_SESSION_TOKEN": f"{SESSION}\n"},
        {"AWS_SESSION_TOKEN": f"{SESSION}ü"},
        {"AWS_SKIP_SIGNATURE": "perhaps"},
        {"HTTP_PROXY": f"http://{LOGIN}@127.0.0.1:9", "NO_PROXY": ""},
        {"AZURE_STORAGE_ACCOUNT_KEY": f"{KEY}!"},
        {"AZURE_STORAGE_ACCOUNT_KEY": "", "AZURE_STORAGE_SAS_TOKEN": f"?{SIGNED}&sig={KEY}"},
        {"GOOGLE_SERVICE_ACCOUNT_KEY": f'{{"private_key": "{KEY}"}}'},
        {"GOOGLE_SERVICE_ACCOUNT_KEY": f"{KEY}"},
    ],
    ids=str,
)
def test_credentials_of_the_environment_are_not_told(
    variables: Mapping[str, str], world: World
) -> None:
    mine = {"AWS_SECRET_ACCESS_KEY": KEY, "AWS_SESSION_TOKEN": SESSION} | dict(variables)
    for words in (
        ["run", GENOME, "--out", "out"],
        ["run", "good.fa", "--out", "s3://bucket/out"],
        ["run", "az://container/genome.fa", "--out", "out"],
        ["run", "gs://bucket/genome.fa", "--out", "out"],
        ["submit", GENOME],
    ):
        world.run("--debug", *words, variables=mine)


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("location", [*LOCATIONS, *SLIPS])
def test_no_text_shows_the_secrets_of_a_location(location: str) -> None:
    for form in (
        location,
        repr(location),
        f"({location!r}, 5)",
        f"url: {location},",
        f'"{location}"',
    ):
        text = without_secrets(OSError(f"before {form} after: {form}"))
        assert not [secret for secret in SECRETS if secret in text]
        assert text.startswith("before ")


@pytest.mark.parametrize(
    "location",
    [
        "genome.fa",
        "/data/a?b#c@d:e.fa",
        "a:b@c.fa",
        "-",
        "s3://bucket/a?b#c&d.fa",
        "s3://bucket/a@b:c.fa",
        "s3://bucket/date=2026?v=2/x.fa",
        "abfss://container@account.dfs.core.windows.net/x.fa",
        "https://host/@user/x:y@1.2.fa",
        "http://[::1]:8000/x.fa",
        "https://host",
    ],
)
def test_a_location_without_a_secret_is_shown_as_it_is(location: str) -> None:
    assert shown(location) == location


@pytest.mark.parametrize(
    "text",
    [
        "tcp://127.0.0.1:9: no scheduler answers there (s3://, gs://); write tcp://host:8786",
        "'http://127.0.0.1:9' (http://127.0.0.1:9) can't be, \"https://host:443\".",
        "x.fa: byte 7: 12:30:45 @ noon, mail me@example.org",
        "https://host/a:b@c.fa: gone",
        "/data/a:b@c.fa: gone",
        "s3://bucket/a?b#c&d.fa: gone",
    ],
)
def test_a_text_without_a_secret_is_shown_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("location", QUERIES)
def test_a_signature_behind_a_path_is_not_printed(location: str, world: World) -> None:
    for words in (["run"], ["plan", "--out", "planned"], ["check"], ["submit"], ["fold"]):
        assert world.run(*words, location).returncode not in {0, 1}


def test_an_error_that_nobody_foresaw_keeps_secrets_out_of_the_table() -> None:
    said = describe(OSError(f"http://{LOGIN}@host/x?{SIGNED} is gone\nwith much more to say"))

    assert said == "unexpected OSError: http://host/x is gone; please report it"


@pytest.mark.parametrize("scheme", ["s3", "gs", "az", "abfss", "S3"])
def test_a_login_in_the_url_of_a_store_is_refused(scheme: str) -> None:
    with pytest.raises(ParameterError, match=f"^{scheme}://bucket/x: has a key") as caught:
        open_place(f"{scheme}://{LOGIN}@bucket/x")
    assert "docs/storage.md" in str(caught.value)
    with pytest.raises(ParameterError, match="has a key"):
        fanfold.run(f"{scheme}://bucket/x?{SIGNED}")
