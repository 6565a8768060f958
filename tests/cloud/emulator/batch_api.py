"""The operations of AWS Batch's API that the cloud path uses, on resources kept in memory.

Otherwise than AWS: what is created is VALID at once, and a compute environment that is deleted is
gone at once; a list shows a job as soon as it is submitted; TerminateJob and CancelJob of an
unknown job do nothing; an unknown field isn't refused (boto3 refuses it); messages are only nearly
worded alike.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from cloud.emulator.batch_model import STATUSES, Job, Json
from cloud.emulator.batch_rules import (
    ARRAY_SIZES,
    DEPENDENCIES_MOST,
    ClientError,
    check_environment,
    check_fargate_resources,
    check_fargate_update,
    check_name,
    check_retry,
    check_time_limits,
    check_timeout,
    overridden,
    substituted,
)
from cloud.emulator.batch_scheduler import Place, Scheduler, now_ms

_JOBS_A_PAGE = 100
_TAGS_PATH = "/v1/tags/"
_CONTAINER_DEFAULTS: Json = {
    "command": [],
    "environment": [],
    "mountPoints": [],
    "resourceRequirements": [],
    "secrets": [],
    "ulimits": [],
    "volumes": [],
}


@dataclass
class BatchApi:
    """Answers requests: a path and a body in, a body out, or a ClientError."""

    account: str
    region: str
    scheduler: Scheduler
    last_child_first: bool = False
    """Children are taken up from the last; Batch promises no order."""
    environments: dict[str, Json] = field(default_factory=dict)
    queues: dict[str, Json] = field(default_factory=dict)
    definitions: dict[str, list[Json]] = field(default_factory=dict)
    _operations: dict[str, Callable[[Json], Json]] = field(init=False)

    def __post_init__(self) -> None:
        self._operations = {
            "createcomputeenvironment": self._create_environment,
            "updatecomputeenvironment": self._update_environment,
            "deletecomputeenvironment": self._delete_environment,
            "describecomputeenvironments": self._describe_environments,
            "createjobqueue": self._create_queue,
            "updatejobqueue": self._update_queue,
            "deletejobqueue": self._delete_queue,
            "describejobqueues": self._describe_queues,
            "registerjobdefinition": self._register_definition,
            "deregisterjobdefinition": self._deregister_definition,
            "describejobdefinitions": self._describe_definitions,
            "submitjob": self._submit,
            "canceljob": self._cancel,
            "terminatejob": self._terminate,
            "describejobs": self._describe_jobs,
            "listjobs": self._list_jobs,
        }

    def answer(self, method: str, path: str, query: dict[str, list[str]], asked: Json) -> Json:
        """Carry out one request.

        Raises:
            ClientError: the request is wrong.
        """
        with self.scheduler.changed:
            self._drop_deleted_queues()
            if path.startswith(_TAGS_PATH):
                return self._tags(method, unquote(path.removeprefix(_TAGS_PATH)), query, asked)
            operation = self._operations.get(path.rstrip("/").rpartition("/")[2])
            if operation is None:
                raise ClientError(f"the double has no {path}")
            try:
                return copy.deepcopy(operation(asked))
            except KeyError as error:
                raise ClientError(f"{error} is missing") from error

    def places_of(self, queue_arn: str) -> list[Place]:
        """Where a queue's jobs may run, in the order in which it is tried."""
        queue = self.queues.get(_name(queue_arn))
        if queue is None:
            return []
        order = sorted(queue["computeEnvironmentOrder"], key=lambda place: int(place["order"]))
        found = [self.environments[_name(place["computeEnvironment"])] for place in order]
        return [
            Place(one["computeEnvironmentArn"], float(one["computeResources"]["maxvCpus"]))
            for one in found
            if (one["state"], one["status"]) == ("ENABLED", "VALID")
        ]

    def give_up(self, job: Job) -> None:
        """Do with a job what its queue does with those that stay RUNNABLE for too long."""
        queue = self.queues[_name(job.queue_arn)]
        for action in queue["jobStateTimeLimitActions"]:
            self.scheduler.cancel(job, action["reason"])

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:batch:{self.region}:{self.account}:{kind}/{name}"

    # Compute environments

    def _create_environment(self, asked: Json) -> Json:
        name = asked["computeEnvironmentName"]
        check_name(name, "computeEnvironmentName")
        if name in self.environments:
            raise ClientError(f"Object already exists: {name}")
        if asked["computeResources"]["type"] not in {"FARGATE", "FARGATE_SPOT"}:
            raise ClientError("the double knows FARGATE and FARGATE_SPOT")
        self.environments[name] = {
            "state": "ENABLED",
            "containerOrchestrationType": "ECS",
            "tags": {},
            **asked,
            "computeEnvironmentArn": self._arn("compute-environment", name),
            "ecsClusterArn": f"arn:aws:ecs:{self.region}:{self.account}:cluster/{name}",
            "uuid": str(uuid.uuid4()),
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
        }
        return self._environment_names(name)

    def _update_environment(self, asked: Json) -> Json:
        environment = _named(self.environments, asked["computeEnvironment"])
        check_fargate_update(asked.get("computeResources", {}))
        environment |= {key: asked[key] for key in ("state", "serviceRole") if key in asked}
        environment["computeResources"] |= asked.get("computeResources", {})
        self.scheduler.refresh()
        return self._environment_names(environment["computeEnvironmentName"])

    def _delete_environment(self, asked: Json) -> Json:
        name = _name(asked["computeEnvironment"])
        _check_disabled(_named(self.environments, name), name)
        for queue in self.queues.values():
            if any(
                _name(place["computeEnvironment"]) == name
                for place in queue["computeEnvironmentOrder"]
            ):
                raise ClientError(
                    "Cannot delete, found existing JobQueue relationship: "
                    f"{name}, {queue['jobQueueName']}"
                )
        environment = self.environments[name]
        if self.scheduler.is_used(environment["computeEnvironmentArn"]):
            # API reference, DeleteComputeEnvironment: one of Fargate whose jobs are active when it
            # is deleted enters an invalid state.
            environment |= {"status": "INVALID", "statusReason": "Jobs are active"}
        else:
            del self.environments[name]
        return {}

    def _describe_environments(self, asked: Json) -> Json:
        return {"computeEnvironments": _chosen(self.environments, asked, "computeEnvironments")}

    def _environment_names(self, name: str) -> Json:
        return {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": self.environments[name]["computeEnvironmentArn"],
        }

    # Job queues

    def _create_queue(self, asked: Json) -> Json:
        name = asked["jobQueueName"]
        check_name(name, "jobQueueName")
        if name in self.queues:
            raise ClientError(f"Object already exists: {name}")
        for place in asked["computeEnvironmentOrder"]:
            _named(self.environments, place["computeEnvironment"])
        check_time_limits(asked.get("jobStateTimeLimitActions", []))
        self.queues[name] = {
            "state": "ENABLED",
            "tags": {},
            "jobStateTimeLimitActions": [],
            **asked,
            "jobQueueArn": self._arn("job-queue", name),
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
        }
        return self._queue_names(name)

    def _update_queue(self, asked: Json) -> Json:
        queue = _named(self.queues, asked["jobQueue"])
        check_time_limits(asked.get("jobStateTimeLimitActions", []))
        queue |= {key: asked[key] for key in asked if key != "jobQueue"}
        self.scheduler.refresh()
        return self._queue_names(queue["jobQueueName"])

    def _delete_queue(self, asked: Json) -> Json:
        name = _name(asked["jobQueue"])
        queue = _named(self.queues, name)
        _check_disabled(queue, name)
        queue["status"] = "DELETING"
        for job in self._parents():
            if job.queue_arn == queue["jobQueueArn"] and not job.has_ended:
                self.scheduler.terminate(job, "Job queue deleted")
        return {}

    def _drop_deleted_queues(self) -> None:
        """A queue is gone once its jobs are terminated (API reference, DeleteJobQueue)."""
        for name, queue in list(self.queues.items()):
            jobs = (job for job in self._parents() if job.queue_arn == queue["jobQueueArn"])
            if queue["status"] == "DELETING" and all(job.has_ended for job in jobs):
                del self.queues[name]

    def _describe_queues(self, asked: Json) -> Json:
        return {"jobQueues": _chosen(self.queues, asked, "jobQueues")}

    def _queue_names(self, name: str) -> Json:
        return {"jobQueueName": name, "jobQueueArn": self.queues[name]["jobQueueArn"]}

    # Job definitions

    def _register_definition(self, asked: Json) -> Json:
        name, container = asked["jobDefinitionName"], asked["containerProperties"]
        check_name(name, "jobDefinitionName")
        if asked["type"] != "container" or asked.get("platformCapabilities") != ["FARGATE"]:
            raise ClientError("the double knows containers on FARGATE")
        if "executionRoleArn" not in container:
            raise ClientError("executionRoleArn is required for Fargate jobs")
        check_fargate_resources(container.get("resourceRequirements", []))
        check_environment(container.get("environment", []))
        check_retry(asked.get("retryStrategy", {}))
        check_timeout(asked.get("timeout", {}))
        revisions = self.definitions.setdefault(name, [])
        revision = len(revisions) + 1
        revisions.append(
            {
                "parameters": {},
                "tags": {},
                "containerOrchestrationType": "ECS",
                **asked,
                "containerProperties": copy.deepcopy(_CONTAINER_DEFAULTS) | container,
                "jobDefinitionArn": self._arn("job-definition", f"{name}:{revision}"),
                "revision": revision,
                "status": "ACTIVE",
            }
        )
        return {
            key: revisions[-1][key] for key in ("jobDefinitionName", "jobDefinitionArn", "revision")
        }

    def _deregister_definition(self, asked: Json) -> Json:
        name, _, revision = _name(asked["jobDefinition"]).partition(":")
        if not revision:
            raise ClientError("DeregisterJobDefinition needs the revision")
        for definition in self.definitions.get(name, []):
            if str(definition["revision"]) == revision:
                definition["status"] = "INACTIVE"
        return {}

    def _describe_definitions(self, asked: Json) -> Json:
        found = [one for revisions in self.definitions.values() for one in reversed(revisions)]
        if "jobDefinitions" in asked:
            names = [_name(reference) for reference in asked["jobDefinitions"]]
            found = [
                one
                for one in found
                if one["jobDefinitionName"] in names
                or f"{one['jobDefinitionName']}:{one['revision']}" in names
            ]
        if "jobDefinitionName" in asked:
            found = [one for one in found if one["jobDefinitionName"] == asked["jobDefinitionName"]]
        if "status" in asked:
            found = [one for one in found if one["status"] == asked["status"]]
        return _page("jobDefinitions", found, asked)

    def _active_definition(self, reference: str) -> Json:
        name, _, revision = _name(reference).partition(":")
        active = [one for one in self.definitions.get(name, []) if one["status"] == "ACTIVE"]
        if revision:
            active = [one for one in active if str(one["revision"]) == revision]
        if not active:
            raise ClientError(f"JobDefinition not found or not ACTIVE: {reference}")
        return active[-1]

    # Jobs

    def _submit(self, asked: Json) -> Json:
        check_name(asked["jobName"], "Job name")
        queue = self.queues.get(_name(asked["jobQueue"]))
        if queue is None:
            raise ClientError(f"JobQueue {asked['jobQueue']} not found")
        if queue["state"] != "ENABLED":
            raise ClientError(f"Cannot submit job to disabled JobQueue {queue['jobQueueName']}")
        definition = self._active_definition(asked["jobDefinition"])
        size = asked.get("arrayProperties", {}).get("size")
        if size is not None and size not in ARRAY_SIZES:
            raise ClientError(f"Array size {size} is not between 2 and 10000")
        if len(asked.get("dependsOn", [])) > DEPENDENCIES_MOST:
            raise ClientError("a job may depend on 20 jobs at most")
        job = self._new_job(asked, queue, definition, str(uuid.uuid4()))
        for index in range(size or 0):
            child = self._new_job(asked, queue, definition, f"{job.job_id}:{index}")
            child.parent, child.index = job, index
            job.children.append(child)
        self.scheduler.submit(job, last_first=self.last_child_first)
        return {"jobArn": job.arn, "jobId": job.job_id, "jobName": job.name}

    def _new_job(self, asked: Json, queue: Json, definition: Json, job_id: str) -> Job:
        overrides = asked.get("containerOverrides", {})
        container = overridden(copy.deepcopy(definition["containerProperties"]), overrides)
        check_fargate_resources(container["resourceRequirements"])
        check_environment(container["environment"])
        retry = asked.get("retryStrategy") or definition.get("retryStrategy") or {"attempts": 1}
        check_retry(retry)
        timeout = asked.get("timeout") or definition.get("timeout") or {}
        check_timeout(timeout)
        parameters = definition["parameters"] | asked.get("parameters", {})
        container["command"] = substituted(container["command"], parameters)
        return Job(
            job_id=job_id,
            arn=self._arn("job", job_id),
            name=asked["jobName"],
            queue_arn=queue["jobQueueArn"],
            definition_arn=definition["jobDefinitionArn"],
            container=container,
            parameters=parameters,
            retry={"evaluateOnExit": [], **retry},
            timeout_seconds=timeout.get("attemptDurationSeconds"),
            depends_on=asked.get("dependsOn", []),
            tags=asked.get("tags", {}),
            platforms=definition["platformCapabilities"],
            created_at=now_ms(),
        )

    def _cancel(self, asked: Json) -> Json:
        job, reason = self.scheduler.jobs.get(asked["jobId"]), asked["reason"]
        if job is not None:
            self.scheduler.cancel(job, reason)
        return {}

    def _terminate(self, asked: Json) -> Json:
        job, reason = self.scheduler.jobs.get(asked["jobId"]), asked["reason"]
        if job is not None:
            self.scheduler.terminate(job, reason)
        return {}

    def _describe_jobs(self, asked: Json) -> Json:
        if len(asked["jobs"]) > _JOBS_A_PAGE:
            raise ClientError("DescribeJobs takes 100 jobs at most")
        names = dict.fromkeys(_name(reference) for reference in asked["jobs"])
        jobs = [self.scheduler.jobs[name] for name in names if name in self.scheduler.jobs]
        return {"jobs": [job.detail() for job in jobs]}

    def _list_jobs(self, asked: Json) -> Json:
        if ("jobQueue" in asked) == ("arrayJobId" in asked):
            raise ClientError("ListJobs takes one of jobQueue and arrayJobId")
        if "arrayJobId" in asked:
            parent = self.scheduler.jobs.get(asked["arrayJobId"])
            jobs = [] if parent is None else list(parent.children)
        else:
            queue = _named(self.queues, asked["jobQueue"])
            jobs = [job for job in self._parents() if job.queue_arn == queue["jobQueueArn"]]
            jobs.reverse()
        filters = asked.get("filters", [])
        if filters and "jobQueue" in asked:
            jobs = [job for job in jobs if _passes(job, filters)]
        else:
            status = asked.get("jobStatus", "RUNNING")
            if status not in STATUSES:
                raise ClientError(f"jobStatus {status!r} is not valid")
            jobs = [job for job in jobs if job.status == status]
        page = _page("jobSummaryList", jobs, asked)
        return page | {"jobSummaryList": [job.summary() for job in page["jobSummaryList"]]}

    def _parents(self) -> list[Job]:
        return [job for job in self.scheduler.jobs.values() if job.parent is None]

    # Tags

    def _tags(self, method: str, arn: str, query: dict[str, list[str]], asked: Json) -> Json:
        tags = self._tags_of(arn)
        if method == "POST":
            tags |= asked["tags"]
        if method == "DELETE":
            for key in query.get("tagKeys", []):
                tags.pop(key, None)
        return {"tags": dict(tags)} if method == "GET" else {}

    def _tags_of(self, arn: str) -> dict[str, str]:
        job = self.scheduler.jobs.get(_name(arn))
        if job is not None:
            return job.tags
        resources = [*self.environments.values(), *self.queues.values()]
        resources += [one for revisions in self.definitions.values() for one in revisions]
        keys = ("computeEnvironmentArn", "jobQueueArn", "jobDefinitionArn")
        for resource in resources:
            if any(resource.get(key) == arn for key in keys):
                tags: dict[str, str] = resource["tags"]
                return tags
        raise ClientError(f"Object does not exist: {arn}")


def _name(reference: str) -> str:
    """What follows the kind in an ARN, or the name itself."""
    return reference.rpartition("/")[2] if reference.startswith("arn:") else reference


def _named(resources: dict[str, Json], reference: str) -> Json:
    name = _name(reference)
    if name not in resources:
        raise ClientError(f"Object does not exist: {reference}")
    return resources[name]


def _chosen(resources: dict[str, Json], asked: Json, field_name: str) -> list[Json]:
    names = [_name(reference) for reference in asked.get(field_name) or resources]
    return [resources[name] for name in names if name in resources]


def _check_disabled(resource: Json, name: str) -> None:
    if resource["state"] != "DISABLED":
        raise ClientError(f"Cannot delete, resource is in ENABLED state: {name}")


def _page(field_name: str, found: list[Any], asked: Json) -> Json:
    try:
        first = int(asked.get("nextToken") or 0)
    except ValueError:
        raise ClientError("nextToken is not valid") from None
    after = first + int(asked.get("maxResults") or _JOBS_A_PAGE)
    page: Json = {field_name: found[first:after]}
    return page | {"nextToken": str(after)} if after < len(found) else page


def _passes(job: Job, filters: list[Json]) -> bool:
    """ListJobs's one filter; its values are alternatives, alike in any case."""
    if len(filters) > 1:
        raise ClientError("ListJobs takes one filter")
    name, values = filters[0]["name"], [str(value) for value in filters[0]["values"]]
    definition = job.definition_arn
    match name:
        case "JOB_NAME":
            return any(_alike(job.name, value) for value in values)
        case "JOB_DEFINITION":
            short = _name(definition).partition(":")[0]
            return any(_alike(definition, value) or _alike(short, value) for value in values)
        case "BEFORE_CREATED_AT":
            return any(job.created_at < int(value) for value in values)
        case "AFTER_CREATED_AT":
            return any(job.created_at > int(value) for value in values)
    raise ClientError(f"the double has no filter {name}")


def _alike(found: str, pattern: str) -> bool:
    found, pattern = found.lower(), pattern.lower()
    if pattern.endswith("*"):
        return found.startswith(pattern[:-1])
    return found == pattern
