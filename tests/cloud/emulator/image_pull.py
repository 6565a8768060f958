"""The pull of a container's image, as far as IAM and the registry have a say in it.

No layer moves. An image of another registry is there; one of this account's ECR is there if its
repository is, whether it was pushed or not, for there is no container engine to push it.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError as AwsError

_OF_ECR = re.compile(
    r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/(?P<repository>[^@:]+)"
    r"(?:@(?P<digest>sha256:[0-9a-f]+)|:(?P<tag>.+))?"
)
_ANY_DIGEST = "sha256:" + "0" * 64


class PullRefusedError(Exception):
    """The image can't be pulled."""


def pull(ecr: Any, image: str) -> None:
    """Ask the registry all that a pull asks, with the execution role's client.

    Raises:
        PullRefusedError: IAM denies a part of it, or there is no such repository.
    """
    found = _OF_ECR.fullmatch(image)
    if found is None:
        return
    repository, digest = found["repository"], found["digest"]
    named = {"imageDigest": digest} if digest else {"imageTag": found["tag"] or "latest"}
    try:
        ecr.get_authorization_token()
        ecr.batch_get_image(repositoryName=repository, imageIds=[named])
        ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[_ANY_DIGEST])
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=_ANY_DIGEST)
    except ecr.exceptions.LayersNotFoundException:
        return
    except AwsError as error:
        raise PullRefusedError(f"{image}: {error}") from error
