"""What stopped a message on its way to SNS, in words that say what to do.

Error texts of the service and of boto3 are not passed on: some quote what was sent.
"""

from botocore.exceptions import ClientError

from healthpipe.errors import AlertNotSent

NO_IDENTITY = (
    "no valid AWS credentials were found",
    "sign in, set AWS_PROFILE or give --profile",
)
UNREACHABLE = ("it cannot be reached", "check the network, the proxy and --region")
THROTTLED = ("it takes no more messages for now", "try again later")
DENIED = (
    "it refused access",
    "allow sns:Publish on {topic} to the identity that `aws sts get-caller-identity` shows",
)
NOT_THERE = ("there is no topic {topic} in {region}", "check --sns-topic, --region and --profile")
REFUSED = (
    "it refused a parameter",
    "check that {topic} is in {region} and takes messages of 256 KiB",
)
KEY_REFUSED = (
    "the key that encrypts the topic cannot be used",
    "allow kms:GenerateDataKey and kms:Decrypt on the key of {topic}",
)

# By the error code of the service, or the name of an exception of botocore or of its bases.
EXPLANATIONS = {
    "NoCredentialsError": NO_IDENTITY,
    "PartialCredentialsError": NO_IDENTITY,
    "CredentialRetrievalError": NO_IDENTITY,
    "TokenRetrievalError": NO_IDENTITY,
    "SSOError": NO_IDENTITY,
    "LoginError": NO_IDENTITY,
    "InvalidClientTokenId": NO_IDENTITY,
    "UnrecognizedClientException": NO_IDENTITY,
    "SignatureDoesNotMatch": NO_IDENTITY,
    "IncompleteSignature": NO_IDENTITY,
    "ExpiredToken": NO_IDENTITY,
    "ExpiredTokenException": NO_IDENTITY,
    "ProfileNotFound": ("the AWS profile is not there", "check --profile and AWS_PROFILE"),
    "NoRegionError": ("no region is set", "give --region"),
    "InvalidRegionError": ("{region} is no region", "check --region"),
    "HTTPClientError": UNREACHABLE,
    "ConnectionError": UNREACHABLE,
    "Throttled": THROTTLED,
    "Throttling": THROTTLED,
    "KMSThrottling": THROTTLED,
    "ThrottledException": THROTTLED,
    "ThrottlingException": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
    "TooManyRequestsException": THROTTLED,
    "AuthorizationError": DENIED,
    "AccessDenied": DENIED,
    "AccessDeniedException": DENIED,
    "NotFound": NOT_THERE,
    "InvalidParameter": REFUSED,
    "ParameterValueInvalid": REFUSED,
    "KMSAccessDenied": KEY_REFUSED,
    "KMSDisabled": KEY_REFUSED,
    "KMSInvalidState": KEY_REFUSED,
    "KMSNotFound": KEY_REFUSED,
}


def explain(failure: Exception, topic: str, region: str) -> AlertNotSent:
    """The failure of a call as one line: what happened and what to do next."""
    names = [kind.__name__ for kind in type(failure).__mro__]
    if isinstance(failure, ClientError):
        names.insert(0, failure.response["Error"]["Code"])
    known = next((EXPLANATIONS[name] for name in names if name in EXPLANATIONS), None)
    facts = {"topic": topic, "region": region}
    what, hint = (text.format(**facts) for text in known) if known else (
        f"it failed with {names[0]}",
        "try again later; `healthpipe alert --test --debug` shows more",
    )  # fmt: skip
    return AlertNotSent(f"SNS did not take the alert: {what}", hint)
