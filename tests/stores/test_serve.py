"""`fanfold serve` over a bucket of S3: its genomes, its ledger, its results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from servers.s3 import s3_server
from web.serving import DATA, serving

import fanfold

PHIX = (DATA / "phiX174.fa").read_bytes()


@pytest.mark.parametrize("is_root", [True, False])
def test_a_server_over_a_bucket(is_root: bool, tmp_path: Path) -> None:
    with s3_server(tmp_path) as store:
        store.create_bucket("genomes")
        store.put("genomes", "input/phiX174.fa", PHIX)
        root = "s3://genomes" if is_root else str(tmp_path / "root")
        (tmp_path / "root").mkdir()
        more = () if is_root else ("--bucket", "genomes=s3://genomes")
        variables = store.environment()
        with serving(root, *more, log=tmp_path / "log", variables=variables) as server:
            buckets = server.ask("GET", "/buckets").document["buckets"]
            assert buckets == [{"name": "genomes"}]
            listed = server.ask("GET", "/buckets/genomes?prefix=input/").document
            assert [each["key"] for each in listed["objects"]] == ["input/phiX174.fa"]
            assert "input/" in server.ask("GET", "/buckets/genomes").document["folders"]

            job = server.start_job("genomes", "input/phiX174.fa", slice_bytes=1000)
            found = server.wait_for(job)

            assert found["state"] == "SUCCEEDED", found
            master = server.ask("GET", f"/jobs/{job}/master.json").body
            path = tmp_path / "phiX174.fa"
            path.write_bytes(PHIX)
            assert master == fanfold.run(path, out=tmp_path / "out").path.read_bytes()
            part = server.ask("GET", f"/jobs/{job}/sequences.tsv", headers={"Range": "bytes=3-9"})
            whole = server.ask("GET", f"/jobs/{job}/sequences.tsv").body
            assert (part.status, part.body) == (206, whole[3:10])

            data = b">up\nACGT\n"
            assert server.ask("PUT", "/buckets/genomes/up/x.fa", data).status == 200
            assert store.get("genomes", "up/x.fa") == data
            again = server.ask("PUT", "/buckets/genomes/up/x.fa", b"other")
            assert (again.status, again.problem) == (409, "object-exists")
            assert server.ask("PUT", "/buckets/genomes/up/x.fa?replace=true", PHIX).status == 200
            assert store.get("genomes", "up/x.fa") == PHIX
            for key in ("gone.fa", "input", "input/"):
                refused = server.post({"bucket": "genomes", "key": key})
                assert (refused.status, refused.problem) == (404, "no-such-object")
            kept = server.ask(
                "PUT", f"/buckets/genomes/results/{job}/master.json?replace=true", b"{}"
            )
            assert (kept.status == 403) is is_root
            server.stop()  # when it has recorded what follows a report
        if is_root:
            assert json.loads(store.get("genomes", "results/master.json")) == json.loads(master)
        with serving(root, *more, log=tmp_path / "log", variables=variables) as server:
            assert server.ask("GET", f"/jobs/{job}").document["state"] == "SUCCEEDED"


def test_a_store_that_does_not_answer_is_told(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "FANFOLD_RETRY_TIMEOUT": "1",
        **{name: "" for name in os.environ if name.lower().endswith("_proxy")},
    }
    more = ("--bucket", "far=s3://far")
    with serving(tmp_path / "root", *more, log=tmp_path / "log", variables=variables) as server:
        for answer in (
            server.ask("GET", "/buckets/far"),
            server.post({"bucket": "far", "key": "x.fa"}),
            server.ask("PUT", "/buckets/far/x.fa", b">x\nA\n"),
        ):
            assert answer.status == 502, answer
            assert answer.problem in {"unreadable", "unwritable"}
        assert server.ask("GET", "/buckets").status == 200
