"""Translate errors of AWS and boto3 into `HealthpipeError`s that say what to do next.

The services' error texts are not passed on: some quote what was sent. An error that a retry
without any change cannot help is a `UsageError`, every other a `ServiceFailed`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from healthpipe.errors import (
    HealthpipeError,
    InputChanged,
    ObjectDenied,
    ObjectMissing,
    ServiceFailed,
    UsageError,
)


class ErrorKind(Enum):
    """Classes of AWS errors, one for each thing that there is to do about them."""

    NO_IDENTITY = auto()
    EXPIRED = auto()
    NO_PROFILE = auto()
    NO_REGION = auto()
    BAD_REGION = auto()
    WRONG_REGION = auto()
    WRONG_CLOCK = auto()
    DENIED = auto()
    KEY_REFUSED = auto()
    NO_BUCKET = auto()
    NOT_FOUND = auto()
    ARCHIVED = auto()
    CHANGED = auto()
    THROTTLED = auto()
    UNREACHABLE = auto()
    BROKEN_TRANSFER = auto()
    INVALID = auto()
    UNKNOWN = auto()


# By the service's error code, or by the name of botocore's exception or of one of its bases.
# A HEAD request has no body, hence no code: botocore then gives the status.
_KINDS = {
    ErrorKind.NO_IDENTITY: """NoCredentialsError PartialCredentialsError CredentialRetrievalError
        TokenRetrievalError SSOError LoginError NoAuthTokenError MetadataRetrievalError
        RefreshWithMFAUnsupportedError InvalidClientTokenId InvalidAccessKeyId InvalidToken
        UnrecognizedClientException SignatureDoesNotMatch IncompleteSignature
        InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException
        NotSignedUp OptInRequired""",
    ErrorKind.EXPIRED: """ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired
        UnauthorizedSSOTokenError SSOTokenLoadError LoginRefreshRequired 400""",
    ErrorKind.NO_PROFILE: "ProfileNotFound ConfigParseError ConfigNotFound",
    ErrorKind.NO_REGION: "NoRegionError",
    ErrorKind.BAD_REGION: "InvalidRegionError",
    ErrorKind.WRONG_REGION: """\
        PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraint
        IllegalLocationConstraintException 301""",
    ErrorKind.WRONG_CLOCK: "RequestTimeTooSkewed",
    ErrorKind.DENIED: """AccessDenied AccessDeniedException AuthorizationError UnauthorizedOperation
        AllAccessDisabled AccountProblem 403""",
    ErrorKind.KEY_REFUSED: """KMSAccessDenied KMSDisabled KMSInvalidState KMSNotFound
        KMS.DisabledException        KMS.NotFoundException KMS.KMSInvalidStateException
        KMS.InvalidKeyUsageException KMS.AccessDeniedException KMSKeyNotAccessibleFault""",
    ErrorKind.NO_BUCKET: "NoSuchBucket InvalidBucketName",
    ErrorKind.NOT_FOUND: """NoSuchKey NoSuchUpload NoSuchVersion NotFound NotFoundException
        EntityNotFoundException ResourceNotFoundException 404""",
    ErrorKind.ARCHIVED: "InvalidObjectState",
    ErrorKind.CHANGED: """PreconditionFailed ConditionalRequestConflict 412 409
        ConcurrentModificationException""",
    ErrorKind.THROTTLED: """\
        Throttled Throttling ThrottledException ThrottlingException KMSThrottling
        RequestThrottled RequestThrottledException RequestLimitExceeded TooManyRequestsException
        SlowDown BandwidthLimitExceeded LimitExceededException KMS.ThrottlingException 429 503""",
    ErrorKind.UNREACHABLE: """HTTPClientError ConnectionError EndpointResolutionError""",
    ErrorKind.BROKEN_TRANSFER: """ResponseStreamingError IncompleteReadError FlexibleChecksumError
        ChecksumError BadDigest IncompleteBody InvalidDigest XAmzContentSHA256Mismatch
        RetriesExceededError S3ValidationError ProtocolError RequestTimeout
        RequestTimeoutException""",
    ErrorKind.INVALID: """\
        InvalidParameter ParameterValueInvalid ParamValidationError ValidationError
        ValidationException InvalidArgument InvalidRequest InvalidRequestException
        InvalidInputException KeyTooLongError EntityTooLarge MalformedXML""",
}
KIND_BY_NAME = {name: kind for kind, names in _KINDS.items() for name in names.split()}


@dataclass(frozen=True)
class Explanation:
    """What happened, what to do next, and whether a retry without any change can help."""

    what: str
    hint: str
    retry_helps: bool = False


# {name} is the service's code or the exception, {action} the permission that the request needs.
_EXPLANATIONS = {
    ErrorKind.NO_IDENTITY: Explanation(
        "no valid AWS credentials were found", "sign in, set AWS_PROFILE or give --profile"
    ),
    ErrorKind.EXPIRED: Explanation(
        "the AWS sign-in has expired", "sign in again, then run again", retry_helps=True
    ),
    ErrorKind.NO_PROFILE: Explanation(
        "the AWS profile is not there or cannot be read", "check --profile and AWS_PROFILE"
    ),
    ErrorKind.NO_REGION: Explanation("no region is set", "give --region"),
    ErrorKind.BAD_REGION: Explanation("what is set is no region", "check --region and AWS_REGION"),
    ErrorKind.WRONG_REGION: Explanation("it is in another region", "check --region and AWS_REGION"),
    ErrorKind.WRONG_CLOCK: Explanation(
        "the clock of this machine is wrong", "set it, then run again"
    ),
    ErrorKind.DENIED: Explanation(
        "it refused access",
        "allow {action} on {resource} to the identity that `aws sts get-caller-identity` shows",
    ),
    ErrorKind.KEY_REFUSED: Explanation(
        "the key that encrypts it cannot be used",
        "check --kms-key, and allow kms:GenerateDataKey and kms:Decrypt on the key of {resource}",
    ),
    ErrorKind.NO_BUCKET: Explanation("there is no such bucket", "create it, or correct its name"),
    ErrorKind.NOT_FOUND: Explanation("it is not there", "check the name, and who else removes it"),
    ErrorKind.ARCHIVED: Explanation("it is archived", "restore it, then run again"),
    ErrorKind.CHANGED: Explanation(
        "somebody else changed it at the same time", "run again", retry_helps=True
    ),
    ErrorKind.THROTTLED: Explanation(
        "it takes no more requests for now", "try again later", retry_helps=True
    ),
    ErrorKind.UNREACHABLE: Explanation(
        "it cannot be reached", "check the network, the proxy and --region", retry_helps=True
    ),
    ErrorKind.BROKEN_TRANSFER: Explanation(
        "the transfer broke off", "check the network, then run again", retry_helps=True
    ),
    ErrorKind.INVALID: Explanation("it refused a parameter", "check {resource} and --region"),
    ErrorKind.UNKNOWN: Explanation(
        "it failed with {name}", "try again later; --debug shows more", retry_helps=True
    ),
}
# S3 answers AccessDenied for a missing key, too, when the caller may not list the bucket:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
_S3_DENIED = (
    "; without s3:ListBucket what is missing looks like this, too, "
    "and so does a bucket of another owner than --bucket-owner"
)


def error_name(error: Exception) -> str:
    """The error code in a service's answer, else the name of the exception's class."""
    return _names(error)[0]


def error_kind(error: Exception) -> ErrorKind:
    """The class of an error that a call of AWS raised."""
    return next(
        (KIND_BY_NAME[name] for name in _names(error) if name in KIND_BY_NAME), ErrorKind.UNKNOWN
    )


def explain_error(error: Exception, action: str, resource: str) -> Explanation:
    """Explain an error of `action`, an IAM action such as s3:GetObject, on a resource."""
    template = _EXPLANATIONS[error_kind(error)]
    facts = {"name": error_name(error), "action": action, "resource": resource}
    hint = template.hint.format(**facts)
    if error_kind(error) is ErrorKind.DENIED and action.startswith("s3:"):
        hint += _S3_DENIED
    return Explanation(template.what.format(**facts), hint, template.retry_helps)


def translate_error(error: Exception, action: str, resource: str) -> HealthpipeError:
    """Translate an error of `action` on a resource; a `HealthpipeError` is returned as it is."""
    if isinstance(error, HealthpipeError):
        return error
    explanation = explain_error(error, action, resource)
    if error_kind(error) in _LOCAL_KINDS:
        return UsageError(explanation.what, explanation.hint)
    error_type: type[HealthpipeError] = ServiceFailed if explanation.retry_helps else UsageError
    if action.startswith("s3:"):
        error_type = _S3_ERROR_TYPES.get(error_kind(error), error_type)
    if action == "s3:GetObject" and error_kind(error) in _OBJECT_DENIED:
        error_type = ObjectDenied
    return error_type(
        f"AWS did not do {action} on {resource}: {explanation.what}", explanation.hint
    )


# Raised before a request is sent.
_LOCAL_KINDS = {ErrorKind.NO_PROFILE, ErrorKind.NO_REGION, ErrorKind.BAD_REGION}
_S3_ERROR_TYPES: dict[ErrorKind, type[HealthpipeError]] = {
    ErrorKind.NOT_FOUND: ObjectMissing,
    ErrorKind.CHANGED: InputChanged,
}
# S3 answers all of them with 403.
_OBJECT_DENIED = {ErrorKind.DENIED, ErrorKind.KEY_REFUSED, ErrorKind.ARCHIVED}


@contextmanager
def translated_errors(action: str, resource: str) -> Iterator[None]:
    """Translate the errors that boto3 raises in the block: see `translate_error`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from s3transfer.exceptions import (
        RetriesExceededError,
        S3DownloadFailedError,
        S3ValidationError,
    )

    transfer_errors = (RetriesExceededError, S3DownloadFailedError, S3ValidationError)
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error, *transfer_errors) as error:
        raise translate_error(error, action, resource) from error


def _names(error: Exception) -> list[str]:
    """The error code, HTTP status and class names of an error, the most specific first."""
    # s3transfer keeps the error of botocore in these two places.
    inner = getattr(error, "last_exception", None) or error.__context__
    if isinstance(inner, Exception) and not hasattr(error, "response") and _is_botocore(inner):
        return _names(inner)
    names = [kind.__name__ for kind in type(error).__mro__]
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return names
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    return [response.get("Error", {}).get("Code") or status, status, *names]


def _is_botocore(error: Exception) -> bool:

    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (BotoCoreError, ClientError))
