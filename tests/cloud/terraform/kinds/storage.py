"""S3 and ECR."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cloud.terraform.account import Account
from cloud.terraform.kinds.kind import Computed, Fixed, Kind, State, block, given


class Bucket(Fixed):
    """Empties itself when removed with force_destroy; refuses otherwise, as AWS does."""

    replaced_by = frozenset({"bucket"})

    def create(self, account: Account, state: State) -> Computed:
        place = {"LocationConstraint": account.region}
        named = {} if account.region == "us-east-1" else {"CreateBucketConfiguration": place}
        account.client("s3").create_bucket(Bucket=state["bucket"], **named)
        name = state["bucket"]
        return {"id": name, "arn": f"arn:aws:s3:::{name}", "bucket_region": account.region}

    def delete(self, account: Account, state: State) -> None:
        s3 = account.client("s3")
        if state.get("force_destroy"):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=state["bucket"]):
                for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    named = {"Key": version["Key"], "VersionId": version["VersionId"]}
                    s3.delete_object(Bucket=state["bucket"], **named)
        s3.delete_bucket(Bucket=state["bucket"])

    def exists(self, account: Account, state: State) -> bool:
        try:
            account.client("s3").head_bucket(Bucket=state["bucket"])
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"] != 404
        return True


class PartOfBucket(Kind):
    """A setting of a bucket; its id is the bucket's name."""

    replaced_by = frozenset({"bucket"})

    def create(self, account: Account, state: State) -> Computed:
        self.put(account.client("s3"), state)
        return {"id": state["bucket"]}

    def put(self, s3: Any, state: State) -> None:
        """Set it."""


class PublicAccessBlock(PartOfBucket):
    def put(self, s3: Any, state: State) -> None:
        s3.put_public_access_block(
            Bucket=state["bucket"],
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": bool(state["block_public_acls"]),
                "BlockPublicPolicy": bool(state["block_public_policy"]),
                "IgnorePublicAcls": bool(state["ignore_public_acls"]),
                "RestrictPublicBuckets": bool(state["restrict_public_buckets"]),
            },
        )

    def delete(self, account: Account, state: State) -> None:
        account.client("s3").delete_public_access_block(Bucket=state["bucket"])


class Versioning(PartOfBucket):
    def put(self, s3: Any, state: State) -> None:
        status = block(state["versioning_configuration"])["status"]
        s3.put_bucket_versioning(Bucket=state["bucket"], VersioningConfiguration={"Status": status})

    def delete(self, account: Account, state: State) -> None:
        account.client("s3").put_bucket_versioning(
            Bucket=state["bucket"], VersioningConfiguration={"Status": "Suspended"}
        )


class Encryption(PartOfBucket):
    def put(self, s3: Any, state: State) -> None:
        rules = []
        for rule in state["rule"]:
            default = block(rule["apply_server_side_encryption_by_default"])
            applied = given(
                SSEAlgorithm=default["sse_algorithm"], KMSMasterKeyID=default["kms_master_key_id"]
            )
            rules.append(
                {
                    "ApplyServerSideEncryptionByDefault": applied,
                    "BucketKeyEnabled": bool(rule["bucket_key_enabled"]),
                }
            )
        s3.put_bucket_encryption(
            Bucket=state["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
        )

    def delete(self, account: Account, state: State) -> None:
        account.client("s3").delete_bucket_encryption(Bucket=state["bucket"])


class Lifecycle(PartOfBucket):
    def put(self, s3: Any, state: State) -> None:
        s3.put_bucket_lifecycle_configuration(
            Bucket=state["bucket"],
            LifecycleConfiguration={"Rules": [self._rule(rule) for rule in state["rule"]]},
        )

    def delete(self, account: Account, state: State) -> None:
        account.client("s3").delete_bucket_lifecycle(Bucket=state["bucket"])

    @staticmethod
    def _rule(rule: State) -> dict[str, Any]:
        made: dict[str, Any] = {"ID": rule["id"], "Status": rule["status"]}
        made["Filter"] = given(Prefix=block(rule["filter"])["prefix"])
        if expiration := block(rule["expiration"]):
            made["Expiration"] = {"Days": int(expiration["days"])}
        if upload := block(rule["abort_incomplete_multipart_upload"]):
            days = int(upload["days_after_initiation"])
            made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
        if old := block(rule["noncurrent_version_expiration"]):
            made["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(old["noncurrent_days"])}
        return made


class BucketPolicy(PartOfBucket):
    def put(self, s3: Any, state: State) -> None:
        s3.put_bucket_policy(Bucket=state["bucket"], Policy=state["policy"])

    def delete(self, account: Account, state: State) -> None:
        account.client("s3").delete_bucket_policy(Bucket=state["bucket"])


class OwnershipControls(PartOfBucket):
    def put(self, s3: Any, state: State) -> None:
        rules = [{"ObjectOwnership": rule["object_ownership"]} for rule in state["rule"]]
        s3.put_bucket_ownership_controls(Bucket=state["bucket"], OwnershipControls={"Rules": rules})

    def delete(self, account: Account, state: State) -> None:
        account.client("s3").delete_bucket_ownership_controls(Bucket=state["bucket"])


class Repository(Kind):
    replaced_by = frozenset({"name"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("ecr").create_repository(
            repositoryName=state["name"],
            imageTagMutability=state["image_tag_mutability"],
            imageScanningConfiguration={
                "scanOnPush": block(state["image_scanning_configuration"])["scan_on_push"]
            },
        )["repository"]
        return {
            "id": state["name"],
            "arn": made["repositoryArn"],
            "registry_id": made["registryId"],
            "repository_url": made["repositoryUri"],
        }

    def update(self, account: Account, before: State, state: State) -> Computed:
        account.client("ecr").put_image_tag_mutability(
            repositoryName=state["name"], imageTagMutability=state["image_tag_mutability"]
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("ecr").delete_repository(
            repositoryName=state["name"], force=bool(state["force_delete"])
        )


class RepositoryLifecycle(Kind):
    replaced_by = frozenset({"repository"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("ecr").put_lifecycle_policy(
            repositoryName=state["repository"], lifecyclePolicyText=state["policy"]
        )
        return {"id": state["repository"], "registry_id": account.number}

    def delete(self, account: Account, state: State) -> None:
        account.client("ecr").delete_lifecycle_policy(repositoryName=state["repository"])


KINDS: dict[str, Kind] = {
    "aws_ecr_lifecycle_policy": RepositoryLifecycle(),
    "aws_ecr_repository": Repository(),
    "aws_s3_bucket": Bucket(),
    "aws_s3_bucket_lifecycle_configuration": Lifecycle(),
    "aws_s3_bucket_ownership_controls": OwnershipControls(),
    "aws_s3_bucket_policy": BucketPolicy(),
    "aws_s3_bucket_public_access_block": PublicAccessBlock(),
    "aws_s3_bucket_server_side_encryption_configuration": Encryption(),
    "aws_s3_bucket_versioning": Versioning(),
}
