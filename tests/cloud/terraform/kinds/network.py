"""VPC: its resources can't be told apart by what passes through them; nothing does here."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

import json
from typing import Any

from cloud.terraform.account import Account
from cloud.terraform.kinds.kind import Computed, Fixed, Kind, State, given


class Vpc(Fixed):
    replaced_by = frozenset({"cidr_block"})

    def create(self, account: Account, state: State) -> Computed:
        ec2 = account.client("ec2")
        made = ec2.create_vpc(CidrBlock=state["cidr_block"])["Vpc"]["VpcId"]
        for name in ("enable_dns_support", "enable_dns_hostnames"):
            attribute = "EnableDns" + name.removeprefix("enable_dns_").capitalize()
            ec2.modify_vpc_attribute(VpcId=made, **{attribute: {"Value": bool(state[name])}})
        return {
            "id": made,
            "arn": account.arn("ec2", f"vpc/{made}"),
            "default_security_group_id": _default_group(ec2, made),
            "owner_id": account.number,
        }

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").delete_vpc(VpcId=state["id"])


class DefaultSecurityGroup(Kind):
    """Its removal leaves it as it is, as the real provider does."""

    replaced_by = frozenset({"vpc_id"})

    def create(self, account: Account, state: State) -> Computed:
        ec2 = account.client("ec2")
        group = _default_group(ec2, state["vpc_id"])
        found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        if found["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found["IpPermissions"])
        if found["IpPermissionsEgress"]:
            ec2.revoke_security_group_egress(
                GroupId=group, IpPermissions=found["IpPermissionsEgress"]
            )
        return {"id": group, "name": "default", "owner_id": account.number}


class Subnet(Fixed):
    replaced_by = frozenset({"vpc_id", "cidr_block", "availability_zone"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("ec2").create_subnet(
            VpcId=state["vpc_id"],
            CidrBlock=state["cidr_block"],
            AvailabilityZone=state["availability_zone"],
        )["Subnet"]["SubnetId"]
        return {"id": made, "arn": account.arn("ec2", f"subnet/{made}")}

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").delete_subnet(SubnetId=state["id"])


class RouteTable(Fixed):
    replaced_by = frozenset({"vpc_id"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("ec2").create_route_table(VpcId=state["vpc_id"])
        return {"id": made["RouteTable"]["RouteTableId"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").delete_route_table(RouteTableId=state["id"])


class RouteTableAssociation(Kind):
    replaced_by = frozenset({"subnet_id", "route_table_id"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("ec2").associate_route_table(
            SubnetId=state["subnet_id"], RouteTableId=state["route_table_id"]
        )
        return {"id": made["AssociationId"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").disassociate_route_table(AssociationId=state["id"])


class InternetGateway(Fixed):
    replaced_by = frozenset({"vpc_id"})

    def create(self, account: Account, state: State) -> Computed:
        ec2 = account.client("ec2")
        made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=state["vpc_id"])
        return {"id": made}

    def delete(self, account: Account, state: State) -> None:
        ec2 = account.client("ec2")
        ec2.detach_internet_gateway(InternetGatewayId=state["id"], VpcId=state["vpc_id"])
        ec2.delete_internet_gateway(InternetGatewayId=state["id"])


class Route(Kind):
    replaced_by = frozenset({"route_table_id", "destination_cidr_block"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("ec2").create_route(
            RouteTableId=state["route_table_id"],
            DestinationCidrBlock=state["destination_cidr_block"],
            GatewayId=state["gateway_id"],
        )
        return {"id": f"r-{state['route_table_id']}"}

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").delete_route(
            RouteTableId=state["route_table_id"],
            DestinationCidrBlock=state["destination_cidr_block"],
        )


class SecurityGroup(Fixed):
    """Begins without the rule that lets everything out, as the real provider does."""

    replaced_by = frozenset({"name", "description", "vpc_id"})

    def create(self, account: Account, state: State) -> Computed:
        ec2 = account.client("ec2")
        made = ec2.create_security_group(
            GroupName=state["name"], Description=state["description"], VpcId=state["vpc_id"]
        )["GroupId"]
        found = ec2.describe_security_groups(GroupIds=[made])["SecurityGroups"][0]
        if found["IpPermissionsEgress"]:
            ec2.revoke_security_group_egress(
                GroupId=made, IpPermissions=found["IpPermissionsEgress"]
            )
        return {"id": made, "arn": account.arn("ec2", f"security-group/{made}")}

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").delete_security_group(GroupId=state["id"])


class SecurityGroupRule(Kind):
    """A rule; AWS has a call for each direction."""

    replaced_by = frozenset({"security_group_id"})

    def __init__(self, direction: str) -> None:
        self._direction = direction

    def create(self, account: Account, state: State) -> Computed:
        authorize = getattr(account.client("ec2"), f"authorize_security_group_{self._direction}")
        authorize(GroupId=state["security_group_id"], IpPermissions=[self._permission(state)])
        return {"id": account.new_id("sgr")}

    def update(self, account: Account, before: State, state: State) -> Computed:
        self.delete(account, before)
        return self.create(account, state)

    def delete(self, account: Account, state: State) -> None:
        revoke = getattr(account.client("ec2"), f"revoke_security_group_{self._direction}")
        revoke(GroupId=state["security_group_id"], IpPermissions=[self._permission(state)])

    @staticmethod
    def _permission(state: State) -> dict[str, Any]:
        permission: dict[str, Any] = {
            "IpProtocol": state["ip_protocol"],
            "FromPort": int(state["from_port"]),
            "ToPort": int(state["to_port"]),
        }
        if state["cidr_ipv4"]:
            permission["IpRanges"] = [{"CidrIp": state["cidr_ipv4"]}]
        if state["referenced_security_group_id"]:
            group = state["referenced_security_group_id"]
            permission["UserIdGroupPairs"] = [{"GroupId": group}]
        if state["prefix_list_id"]:
            permission["PrefixListIds"] = [{"PrefixListId": state["prefix_list_id"]}]
        return permission


class VpcEndpoint(Kind):
    """prefix_list_id, which a gateway has, is made up: the emulator knows no prefix lists."""

    replaced_by = frozenset({"vpc_id", "service_name", "vpc_endpoint_type"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("ec2").create_vpc_endpoint(
            **given(
                VpcId=state["vpc_id"],
                ServiceName=state["service_name"],
                VpcEndpointType=state["vpc_endpoint_type"],
                RouteTableIds=state["route_table_ids"],
                SubnetIds=state["subnet_ids"],
                SecurityGroupIds=state["security_group_ids"],
                PolicyDocument=state["policy"],
                PrivateDnsEnabled=state["private_dns_enabled"],
            )
        )["VpcEndpoint"]["VpcEndpointId"]
        gateway = state["vpc_endpoint_type"] == "Gateway"
        prefix_list = account.new_id("pl") if gateway else None
        return {"id": made, "prefix_list_id": prefix_list, "state": "available"}

    def update(self, account: Account, before: State, state: State) -> Computed:
        if state["policy"] is not None:
            account.client("ec2").modify_vpc_endpoint(
                VpcEndpointId=state["id"],
                PolicyDocument=json.dumps(json.loads(state["policy"])),
            )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[state["id"]])


def _default_group(ec2: Any, vpc: str) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    found: str = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    return found


KINDS: dict[str, Kind] = {
    "aws_default_security_group": DefaultSecurityGroup(),
    "aws_internet_gateway": InternetGateway(),
    "aws_route": Route(),
    "aws_route_table": RouteTable(),
    "aws_route_table_association": RouteTableAssociation(),
    "aws_security_group": SecurityGroup(),
    "aws_subnet": Subnet(),
    "aws_vpc": Vpc(),
    "aws_vpc_endpoint": VpcEndpoint(),
    "aws_vpc_security_group_egress_rule": SecurityGroupRule("egress"),
    "aws_vpc_security_group_ingress_rule": SecurityGroupRule("ingress"),
}
