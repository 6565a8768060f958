"""A double of the Terraform provider hashicorp/aws: protocol 6, on a socket, over an emulator.

    with ProviderDouble(folder, "http://127.0.0.1:4566", "eu-west-1") as provider:
        subprocess.run(["terraform", "apply"], env=os.environ | provider.environment)

Terraform checks the configuration against the real provider's schema, of the types in use. Without
an endpoint it can plan; with one, resources are made, changed and removed through boto3.

Otherwise than the real provider:
- Of values, ARNs are checked beyond their types: no enumerations, no arguments that exclude each
  other.
- Optional attributes that aren't given stay null, collections until they are refreshed: then they
  are empty, as the plugin SDK (normalizeNullValues) has it. The real one fills in what AWS chose.
- Of what is changed behind its back, it sees that buckets, roles and functions are gone, no more.
- Tags stay in Terraform's state. default_tags are merged into tags_all.
- Nothing has to be waited for: an IAM role is known at once, a VPC endpoint available.
- In Terraform's state alone, since the emulator has nothing of the sort: access logs and metrics of
  a stage; prefix lists; encryption of the registry.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
import msgpack  # type: ignore[import-untyped]
from tf.gen import tfplugin_pb2 as pb  # type: ignore[import-untyped]
from tf.gen import tfplugin_pb2_grpc as pb_grpc

from cloud.terraform.account import PARTITION, Account
from cloud.terraform.kinds import api, batch, events, functions, network, storage
from cloud.terraform.schema import Block, Schema
from cloud.terraform.validation import invalid_arns

ADDRESS = "registry.terraform.io/hashicorp/aws"
KINDS = api.KINDS | batch.KINDS | events.KINDS | functions.KINDS | network.KINDS | storage.KINDS
UNKNOWN = msgpack.ExtType(0, b"\x00")
"""What Terraform calls "known after apply"."""


class ProviderDouble(pb_grpc.ProviderServicer):  # type: ignore[misc]
    """Serves Terraform from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path, endpoint_url: str | None, region: str) -> None:
        """Listen on a socket in a folder, whose path must be short: 100 bytes.

        Args:
            folder: where the socket is made.
            endpoint_url: the emulator; None can only plan.
            region: where resources are made unless the configuration says otherwise.
        """
        self._socket = folder / "provider.sock"
        self._schema = Schema.load()
        self._schema_response = self._schema.response()
        self._account = Account(endpoint_url, region)
        self._default_tags: dict[str, str] = {}
        # A Terraform may ask for as many as it likes at once; the default of 10 is enough.
        self._server = grpc.server(futures.ThreadPoolExecutor(10))
        pb_grpc.add_ProviderServicer_to_server(self, self._server)

    def __enter__(self) -> Self:
        self._server.add_insecure_port(f"unix:{self._socket}")
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Terraform finds the double instead of the registry."""
        provider = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "unix", "String": str(self._socket)},
        }
        return {
            "TF_REATTACH_PROVIDERS": json.dumps({ADDRESS: provider}),
            "TF_CLI_CONFIG_FILE": os.devnull,
        }

    # --- What there is -------------------------------------------------------------------------

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        capabilities = pb.ServerCapabilities(get_provider_schema_optional=False)
        return pb.GetMetadata.Response(server_capabilities=capabilities)

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return self._schema_response

    def GetFunctions(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return pb.GetFunctions.Response()

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        response = pb.ValidateResourceConfig.Response()
        for wrong in invalid_arns(request.type_name, decoded(request.config)):
            response.diagnostics.add(severity=pb.Diagnostic.ERROR, summary=wrong)
        return response

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        config = decoded(request.config)
        region = config["region"]
        if isinstance(region, str) and region != self._account.region:
            self._account = Account(self._account.endpoint_url, region)
        for tags in config["default_tags"]:
            self._default_tags = tags["tags"] if isinstance(tags["tags"], dict) else {}
        return pb.ConfigureProvider.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return pb.StopProvider.Response()

    # --- Resources -----------------------------------------------------------------------------

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        response = pb.UpgradeResourceState.Response()
        response.upgraded_state.json = request.raw_state.json
        return response

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        response = pb.ReadResource.Response(new_state=request.current_state)
        state = decoded(request.current_state)
        if state is not None and self._account.endpoint_url is not None:
            try:
                found = KINDS[request.type_name].exists(self._account, state)
                empty = self._schema.resources[request.type_name].collections
                refreshed = {
                    name: empty.get(name) if value is None else value
                    for name, value in state.items()
                }
                response.new_state.CopyFrom(encoded(refreshed if found else None))
            except Exception as error:  # whatever it is, Terraform tells it
                response.diagnostics.append(_diagnostic(request.type_name, error))
        return response

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        before, planned = decoded(request.prior_state), decoded(request.proposed_new_state)
        # As the plugin SDK: an argument that isn't given may be planned as what it is.
        response = pb.PlanResourceChange.Response(legacy_type_system=True)
        if planned is not None:
            kind, block = KINDS[request.type_name], self._schema.resources[request.type_name]
            self._fill_known(planned)
            for name in block.collections:
                if before is not None and not planned[name] and not before[name]:
                    planned[name] = before[name]
            if before is None:
                self._leave_unknown(planned, block.computed)
            elif planned != before:
                self._leave_unknown(planned, kind.renewed, anew=True)
                for name in sorted(kind.replacing(before, planned)):
                    response.requires_replace.add().steps.add(attribute_name=name)
        response.planned_state.CopyFrom(encoded(planned))
        return response

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        before, planned = decoded(request.prior_state), decoded(request.planned_state)
        kind = KINDS[request.type_name]
        response = pb.ApplyResourceChange.Response()
        try:
            self._account.demand_endpoint()
            if planned is None:
                kind.delete(self._account, before)
            else:
                block = self._schema.resources[request.type_name]
                state = {name: _known(value) for name, value in planned.items()}
                if before is None:
                    computed = kind.create(self._account, state)
                else:
                    computed = kind.update(self._account, before, state)
                planned = _filled(block, planned, computed)
        except Exception as error:  # whatever it is, Terraform tells it
            response.diagnostics.append(_diagnostic(request.type_name, error))
            planned = before
        response.new_state.CopyFrom(encoded(planned))
        return response

    def _fill_known(self, planned: dict[str, Any]) -> None:
        if "region" in planned and planned["region"] is None:
            planned["region"] = self._account.region
        if "tags_all" in planned:
            own = planned["tags"]
            planned["tags_all"] = own if own == UNKNOWN else self._default_tags | (own or {})

    @staticmethod
    def _leave_unknown(planned: dict[str, Any], names: Any, *, anew: bool = False) -> None:
        for name in names:
            if anew or planned[name] is None:
                planned[name] = UNKNOWN

    # --- Data sources --------------------------------------------------------------------------

    def ReadDataSource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        account = self._account
        known: dict[str, dict[str, Any]] = {
            "aws_availability_zones": {
                "id": account.region,
                "names": [f"{account.region}{letter}" for letter in "abc"],
            },
            "aws_caller_identity": {"id": account.number, "account_id": account.number},
            "aws_partition": {
                "id": PARTITION,
                "partition": PARTITION,
                "dns_suffix": "amazonaws.com",
            },
            "aws_region": {
                "id": account.region,
                "name": account.region,
                "region": account.region,
            },
        }
        config = decoded(request.config)
        if request.type_name == "aws_vpc_endpoint_service":
            service = config["service_name"]
            # The first zone has no containers.
            letters = "bc" if service.endswith(".ecs") else "abc"
            zones = [f"{account.region}{letter}" for letter in letters]
            known[request.type_name] = {"id": service, "availability_zones": zones}
        state = encoded(config | known[request.type_name])
        return pb.ReadDataSource.Response(state=state)


def decoded(value: Any) -> Any:
    """What Terraform sent: a mapping by attributes, or None for what isn't there."""
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)


def encoded(value: Mapping[str, Any] | None) -> Any:
    """What Terraform is sent."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def _known(value: Any) -> Any:
    return None if isinstance(value, msgpack.ExtType) else value


def _filled(block: Block, planned: dict[str, Any], computed: dict[str, Any]) -> dict[str, Any]:
    """The state after a change: what was unknown is what came out, or null."""
    return {
        name: computed.get(name) if isinstance(value, msgpack.ExtType) else value
        for name, value in planned.items()
        if name in block.attributes or name in block.block_types
    }


def _diagnostic(kind: str, error: Exception) -> Any:
    summary = f"{kind}: {type(error).__name__}"
    return pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=summary, detail=str(error))
