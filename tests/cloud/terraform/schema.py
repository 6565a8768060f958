"""The provider's schema, as Terraform asks for it and as the double uses it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tf.gen import tfplugin_pb2 as pb  # type: ignore[import-untyped]

FILE = Path(__file__).parents[1] / "data" / "aws_schema.json.gz"


@dataclass(frozen=True)
class Block:
    """The attributes of a type, and the blocks within: what the schema's file says of it."""

    attributes: Mapping[str, Mapping[str, Any]]
    block_types: Mapping[str, Mapping[str, Any]]

    @property
    def computed(self) -> list[str]:
        """The attributes that the provider fills in."""
        return [name for name, attribute in self.attributes.items() if attribute["computed"]]

    @property
    def collections(self) -> dict[str, Any]:
        """The attributes that hold several values, and what is empty of their types."""
        return {
            name: {} if attribute["type"][0] == "map" else []
            for name, attribute in self.attributes.items()
            if attribute["type"][0] in {"list", "map", "set"}
        }

    def message(self) -> pb.Schema.Block:
        """The block in Terraform's protocol."""
        message = pb.Schema.Block()
        for name, attribute in self.attributes.items():
            message.attributes.add(
                name=name,
                type=json.dumps(attribute["type"]).encode(),
                required=attribute["required"],
                optional=attribute["optional"],
                computed=attribute["computed"],
            )
        for name, nested in self.block_types.items():
            added = message.block_types.add(
                type_name=name,
                nesting=nested["nesting_mode"].upper(),
                min_items=nested["min_items"],
                max_items=nested["max_items"],
            )
            added.block.CopyFrom(Block(**nested["block"]).message())
        return message


@dataclass(frozen=True)
class Schema:
    """The provider's own arguments, its resources and its data sources."""

    provider: Block
    resources: Mapping[str, Block]
    data_sources: Mapping[str, Block]

    @classmethod
    def load(cls) -> Self:
        """The schema of the types in use; make_schema.py makes its file."""
        with gzip.open(FILE, "rt") as file:
            read = json.load(file)
        return cls(
            Block(**read["provider"]),
            dict(_blocks(read["resources"])),
            dict(_blocks(read["data_sources"])),
        )

    def response(self) -> pb.GetProviderSchema.Response:
        """The schema in Terraform's protocol."""
        response = pb.GetProviderSchema.Response()
        response.provider.block.CopyFrom(self.provider.message())
        response.provider_meta.block.SetInParent()
        for name, block in self.resources.items():
            response.resource_schemas[name].block.CopyFrom(block.message())
        for name, block in self.data_sources.items():
            response.data_source_schemas[name].block.CopyFrom(block.message())
        return response


def _blocks(read: Mapping[str, Any]) -> Iterator[tuple[str, Block]]:
    for name, block in read.items():
        yield name, Block(**block)
