"""The demo: it posts a genome to a server of its own, shows the results, leaves no process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from web.serving import DATA

DEMO = Path(__file__).parents[2] / "scripts/demo"
GENOME = DATA / "ecoli_K12_GCF_000005845.2.fna.gz"


def test_the_demo_shows_the_post_the_numbers_and_where_the_report_is(tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    # Without curl, too: a PATH of these programs alone.
    few = tmp_path / "bin"
    few.mkdir()
    for name in (
        "sh",
        "mkdir",
        "gunzip",
        "gzip",
        "mv",
        "mktemp",
        "rm",
        "sed",
        "cat",
        "sleep",
        "env",
    ):
        (few / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    jobs = set()
    for path in (os.environ["PATH"], str(few)):
        done = subprocess.run(
            [DEMO, bin_folder, GENOME, "demo.data"],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "curl -X POST" in done.stdout
        assert "SUCCEEDED: 18 slices" in done.stderr
        for number in ("4,641,652 bases", "N50 (L50)", "50.79 %"):
            assert number in done.stdout
        found = re.search(r"^Its numbers, for programs: (.+)$", done.stdout, re.MULTILINE)
        assert found is not None
        master = Path(found[1])
        assert json.loads(master.read_bytes())["sequences"]["N50"] == 4_641_652
        assert (master.parent / "report.html").exists()
        jobs.add(master.parent.name)
        commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
        assert not [each for each in commands if str(tmp_path).encode() in each]
    assert len(jobs) == 2, "each demo has work to show"


def test_a_genome_that_is_not_there_ends_the_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [DEMO, Path(sys.executable).parent, "gone.gz", "demo.data"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
