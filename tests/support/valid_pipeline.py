"""A workflow that keeps every rule of section 7 of the design: loops, catches and retries."""

import copy
from typing import Any

SERVICE_ERRORS = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]
RETRIER = {
    "ErrorEquals": ["Transient", *SERVICE_ERRORS],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 5,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}


def step(name: str, **fields: Any) -> dict[str, Any]:
    payload = {"step": name, "execution.$": "$$.Execution.Id"}
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "${StepFunction}", "Payload": payload},
        "ResultSelector": {"status.$": "$.Payload.status"},
        "ResultPath": "$.step",
        "TimeoutSeconds": 900,
        "Retry": [copy.deepcopy(RETRIER)],
        **fields,
    }


def catch_to(target: str) -> list[dict[str, Any]]:
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": target}]


def loop(name: str, after: str, **others: str) -> dict[str, Any]:
    """The Choice and the Wait that call a step again while it is running."""
    statuses = {"RUNNING": f"{name}Wait", **others}
    rules = [
        {"Variable": "$.step.status", "StringEquals": status, "Next": target}
        for status, target in statuses.items()
    ]
    return {
        f"{name}Status": {"Type": "Choice", "Choices": rules, "Default": after},
        f"{name}Wait": {"Type": "Wait", "Seconds": 5, "Next": name},
    }


def branch(name: str) -> dict[str, Any]:
    states = {name: step(name, Next=f"{name}Status"), **loop(name, f"{name}Done")}
    return {"StartAt": name, "States": states | {f"{name}Done": {"Type": "Succeed"}}}


def valid_pipeline() -> dict[str, Any]:
    cleaned = {"Catch": catch_to("Cleanup")}
    plain = {"TopicArn": "${Topic}", "Message": "A run failed."}
    told = {"MaxAttempts": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL", "BackoffRate": 2}
    return {
        "StartAt": "Ingest",
        "TimeoutSeconds": 14400,
        "States": {
            "Ingest": step("Ingest", Next="IngestStatus", **cleaned),
            **loop("Ingest", "Curate", LOCKED="AnotherRunActive", UNCHANGED="NothingToDo"),
            "AnotherRunActive": {"Type": "Succeed"},
            "NothingToDo": {"Type": "Succeed"},
            "Curate": step("Curate", Next="CurateStatus", **cleaned),
            **loop("Curate", "Stages"),
            "Stages": {
                "Type": "Parallel",
                "Branches": [branch(each) for each in ("Extract", "FilterExpiring", "StateCounts")],
                "ResultPath": None,
                "Next": "Audit",
                **cleaned,
            },
            "Audit": step("Audit", Next="Publish", **cleaned),
            "Publish": step("Publish", Next="PublishStatus", **cleaned),
            **loop("Publish", "AlertExpiring"),
            "AlertExpiring": step(
                "AlertExpiring", Next="NotifySuccess", Catch=catch_to("NotifySuccess")
            ),
            "NotifySuccess": step("NotifySuccess", Next="Finish", Catch=catch_to("Finish")),
            "Finish": step("Finish", Next="Done", Catch=catch_to("Done")),
            "Done": {"Type": "Succeed"},
            "Cleanup": step("Cleanup", Next="NotifyFailure", Catch=catch_to("NotifyFailure")),
            "NotifyFailure": step("NotifyFailure", Next="Failed", Catch=catch_to("NotifyPlainly")),
            "NotifyPlainly": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": plain,
                "TimeoutSeconds": 60,
                "Retry": [{"ErrorEquals": ["States.ALL"], **told}],
                "Next": "Failed",
                "Catch": catch_to("Failed"),
            },
            "Failed": {"Type": "Fail", "Error": "RunFailed"},
        },
    }
