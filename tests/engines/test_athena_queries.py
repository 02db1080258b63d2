"""The life of a query, against a scripted Athena and a clock that only waiting moves."""

import datetime
import re
from itertools import count, pairwise
from random import Random

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.stub import ANY, Stubber

from healthpipe.engines.athena.api import AthenaApi
from healthpipe.engines.athena.errors import (
    BrokenQuery,
    FilesUnreadable,
    QueryExecution,
    query_error,
)
from healthpipe.engines.athena.queries import (
    DEADLINE_S,
    POLL_INTERVALS,
    AthenaQueryRunner,
    estimated_usd,
    poll_intervals,
    stop_and_wait,
)
from healthpipe.errors import (
    Interrupted,
    OutOfTime,
    ServiceFailed,
    StillRunning,
    UsageError,
    workflow_name_of,
)

MB = 1024**2
VALUE = "Saint Nobody Hospital"


class StillClock:
    """A clock that only waiting moves. `stop_after` seconds of it a signal comes."""

    def __init__(self, stop_after=float("inf"), error=None):
        self.seconds, self.waited = 0.0, []
        self.stop_after, self.error = stop_after, error or Interrupted(15)

    def now(self):
        return self.seconds

    def raise_if_cancelled(self):
        if self.seconds >= self.stop_after:
            raise self.error

    def wait(self, seconds):
        self.waited.append(seconds)
        self.sleep(seconds)
        self.raise_if_cancelled()

    def sleep(self, seconds):
        self.seconds += seconds


class Athena:
    """Answers as Athena does. Each start takes the next of `lives`: the states that its query is in
    when it is asked for, the last of them for ever, with the reason of a failure.
    """

    def __init__(self, *lives, journal=None):
        self.lives, self.numbers = list(lives), count(1)
        self.queries, self.by_token, self.stopped, self.asked = {}, {}, [], []
        self.trouble = {}
        self.journal = journal
        self.submitted = None

    def start_query_execution(self, **request):
        token = request["ClientRequestToken"]
        if token not in self.by_token:
            self.by_token[token] = f"query-{next(self.numbers)}"
            self.queries[self.by_token[token]] = list(self.lives.pop(0))
        self._fail("start")
        return {"QueryExecutionId": self.by_token[token]}

    def get_query_execution(self, QueryExecutionId):  # noqa: N803
        self.asked.append(QueryExecutionId)
        self._fail("get")
        if QueryExecutionId not in self.queries:
            raise refused("InvalidRequestException")
        life = self.queries[QueryExecutionId]
        state, *reason = (life.pop(0) if len(life) > 1 else life[0]).split(" ", 1)
        status = {"State": state, "StateChangeReason": "".join(reason)}
        if self.submitted:
            status["SubmissionDateTime"] = self.submitted
        return {"QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": MB}}}

    def stop_query_execution(self, QueryExecutionId):  # noqa: N803
        if QueryExecutionId not in self.queries:
            raise refused("InvalidRequestException")
        self.stopped.append(QueryExecutionId)
        self.queries[QueryExecutionId] = ["RUNNING", "CANCELLED"]

    def _fail(self, call):
        errors = self.trouble.get(call, [])
        if errors:
            raise errors.pop(0)


class Journal:
    """Keeps what it is told in `notes`; `fails` when it is told of a start."""

    def __init__(self, fails=None):
        self.notes, self.bytes, self.fails = [], 0, fails

    def started(self, query_id, token):
        self.notes.append(("started", query_id, token))
        if self.fails:
            raise self.fails

    def ended(self, query_id, state, bytes_scanned):
        self.notes.append(("ended", query_id, state))
        self.bytes += bytes_scanned

    def scanned(self):
        return self.bytes


def refused(code, status=400):
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Anything")


def dropped():
    return ConnectionClosedError(endpoint_url="http://127.0.0.1")


def queries_of(athena, clock=None, journal=None, **given):
    calls = AthenaApi(
        athena, athena, "healthpipe", "primary", clock or StillClock(), random=Random(1)
    )
    return AthenaQueryRunner(calls, journal or Journal(), "run/step-1", **given)


def test_a_query_is_started_as_athena_wants_it():
    client = boto3.client(
        "athena", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    place = {"OutputLocation": "s3://bucket/results/"}
    expected = {
        "QueryString": "select 1",
        "ClientRequestToken": ANY,
        "QueryExecutionContext": {"Database": "healthpipe"},
        "WorkGroup": "primary",
        "ResultConfiguration": place,
    }
    with Stubber(client) as stub:
        stub.add_response("start_query_execution", {"QueryExecutionId": "q"}, expected)
        calls = AthenaApi(client, client, "healthpipe", "primary", StillClock(), place)
        assert calls.start("select 1", "t" * 64) == "q"


@pytest.mark.pitfall(34)
def test_the_token_is_of_the_attempt_and_the_sql_in_64_hex_characters():
    athena = Athena(["SUCCEEDED"], ["SUCCEEDED"], ["SUCCEEDED"])
    queries_of(athena).run(lambda _: "select 1")
    queries_of(athena).run(lambda _: "select 1")
    assert len(athena.queries) == 1
    queries_of(athena).run(lambda _: "select 2")
    other = queries_of(athena)
    AthenaQueryRunner(other.api, other.log, "run/step-2").run(lambda _: "select 1")
    assert len(athena.queries) == 3
    assert all(re.fullmatch(r"[0-9a-f]{64}", token) for token in athena.by_token)


def test_the_id_is_written_down_before_the_first_poll_and_the_end_after_it():
    athena, journal = Athena(["RUNNING", "SUCCEEDED"]), Journal()
    athena.get_query_execution = with_notes(athena.get_query_execution, journal)
    queries_of(athena, journal=journal).run(lambda _: "select 1")
    (token,) = athena.by_token
    assert journal.notes == [
        ("started", "query-1", token),
        ("ended", "query-1", "SUCCEEDED"),
    ]


def with_notes(call, journal):
    def asked(**request):
        assert journal.notes, "polled before the query was written down"
        return call(**request)

    return asked


def test_a_query_that_cannot_be_written_down_is_stopped():
    athena = Athena(["RUNNING"])
    with pytest.raises(ServiceFailed, match="disk"):
        queries_of(athena, journal=Journal(ServiceFailed("disk"))).run(lambda _: "select 1")
    assert athena.stopped == ["query-1"]


@pytest.mark.pitfall(32)
def test_polls_grow_apart_to_five_seconds_and_are_jittered():
    clock = StillClock()
    queries_of(Athena(["RUNNING"] * 30 + ["SUCCEEDED"]), clock).run(lambda _: "select 1")
    assert len(clock.waited) == 30
    assert 0.1 <= clock.waited[0] <= 0.2
    assert max(clock.waited) <= POLL_INTERVALS.max_s
    assert sum(clock.waited) > 80
    steps = [next(wait for wait in poll_intervals(seed)) for seed in "abcd"]
    assert len(set(steps)) == 4
    assert all(later > earlier / 2 for earlier, later in pairwise(clock.waited))


@pytest.mark.pitfall(34)
def test_a_lost_answer_to_the_start_is_asked_for_again_and_the_query_runs_once():
    athena, journal = Athena(["SUCCEEDED"]), Journal()
    athena.trouble["start"] = [dropped(), refused("InternalServerException", 500)]
    queries_of(athena, journal=journal).run(lambda _: "select 1")
    assert list(athena.queries) == ["query-1"]
    assert [note[:2] for note in journal.notes] == [("started", "query-1"), ("ended", "query-1")]


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ThrottlingException"])
@pytest.mark.parametrize("call", ["start", "get"])
def test_throttled_calls_are_made_again_with_growing_pauses(call, code):
    athena, clock = Athena(["SUCCEEDED"]), StillClock()
    athena.trouble[call] = [refused(code) for _ in range(4)]
    queries_of(athena, clock).run(lambda _: "select 1")
    assert len(clock.waited) == 4
    assert clock.waited[0] < clock.waited[2] < clock.waited[3]
    assert athena.stopped == []


def test_an_athena_that_goes_on_throttling_is_given_up():
    athena, clock = Athena(["SUCCEEDED"]), StillClock()
    athena.trouble["start"] = [refused("TooManyRequestsException") for _ in range(99)]
    with pytest.raises(ServiceFailed):
        queries_of(athena, clock).run(lambda _: "select 1")
    assert clock.seconds < 60


@pytest.mark.pitfall(35)
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", UsageError),
        ("ExpiredTokenException", ServiceFailed),
        ("InvalidRequestException", UsageError),
    ],
)
def test_what_asking_again_cannot_help_is_asked_once(code, kind):
    athena, clock = Athena(["SUCCEEDED"]), StillClock()
    athena.trouble["start"] = [refused(code)]
    with pytest.raises(kind):
        queries_of(athena, clock).run(lambda _: "select 1")
    assert clock.waited == []


@pytest.mark.pitfall(32)
def test_the_deadline_stops_the_query_before_athena_does():
    assert 20 * 60 < DEADLINE_S < 30 * 60
    athena, clock, journal = Athena(["RUNNING"]), StillClock(), Journal()
    with pytest.raises(ServiceFailed, match="28 minutes"):
        queries_of(athena, clock, journal).run(lambda _: "select 1")
    assert DEADLINE_S <= clock.seconds < DEADLINE_S + 5
    assert athena.stopped == ["query-1"]
    assert journal.notes[-1] == ("ended", "query-1", "CANCELLED")


@pytest.mark.pitfall(33)
@pytest.mark.parametrize("error", [Interrupted(15), OutOfTime()])
def test_a_signal_and_a_limit_stop_the_query_and_its_end_is_seen(error):
    athena, journal = Athena(["RUNNING"]), Journal()
    clock = StillClock(3, error)
    with pytest.raises(type(error)):
        queries_of(athena, clock, journal).run(lambda _: "select 1")
    assert athena.stopped == ["query-1"]
    assert journal.notes[-1] == ("ended", "query-1", "CANCELLED")
    assert clock.seconds < 3 + 15


def test_a_query_that_will_not_end_is_left_in_time():
    athena, clock = Athena(["RUNNING"]), StillClock(3)
    athena.stop_query_execution = lambda **_: None
    with pytest.raises(Interrupted):
        queries_of(athena, clock).run(lambda _: "select 1")
    assert clock.seconds < 3 + 15


def test_a_stop_that_fails_hides_nothing():
    athena = Athena(["RUNNING"])

    def fail(**_):
        raise refused("AccessDeniedException")

    athena.stop_query_execution = fail
    with pytest.raises(Interrupted):
        queries_of(athena, StillClock(3)).run(lambda _: "select 1")


def test_patience_leaves_the_query_and_the_next_call_finds_it():
    athena, journal = Athena(["RUNNING"] * 8 + ["SUCCEEDED"]), Journal()
    clock = StillClock()
    with pytest.raises(StillRunning):
        queries_of(athena, clock, journal, wait_limit_s=3).run(lambda _: "select 1")
    assert 3 <= clock.seconds < 4
    assert athena.stopped == []
    queries_of(athena, journal=journal, wait_limit_s=30).run(lambda _: "select 1")
    assert list(athena.queries) == ["query-1"]


def test_the_deadline_holds_for_all_calls_that_wait_for_a_query():
    athena = Athena(["RUNNING"])
    athena.submitted = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=DEADLINE_S)
    with pytest.raises(ServiceFailed, match="28 minutes"):
        queries_of(athena, wait_limit_s=3).run(lambda _: "select 1")
    assert athena.stopped == ["query-1"]


def test_a_transient_failure_is_started_anew_with_its_own_token_and_place():
    slow = (
        "FAILED HIVE_CURSOR_ERROR: Please reduce your request rate. (Service: Amazon S3; SlowDown)"
    )
    athena, clock, journal = Athena([slow], [slow], ["SUCCEEDED"]), StillClock(), Journal()
    started = []
    queries_of(athena, clock, journal).run(lambda number: started.append(number) or f"to {number}")
    assert started == [1, 2, 3]
    assert len(athena.by_token) == 3
    assert [note[2] for note in journal.notes if note[0] == "ended"] == [
        "FAILED",
        "FAILED",
        "SUCCEEDED",
    ]
    assert len(clock.waited) == 2


def test_the_same_sql_is_a_new_query_when_it_is_started_anew():
    athena = Athena(["FAILED Query exhausted resources at this scale factor"], ["SUCCEEDED"])
    assert queries_of(athena).run(lambda _: "select 1").id == "query-2"


def test_a_transient_failure_that_stays_ends_after_three():
    athena = Athena(*[["FAILED Query exhausted resources at this scale factor"]] * 9)
    with pytest.raises(ServiceFailed, match="exhausted resources"):
        queries_of(athena).run(lambda number: f"to {number}")
    assert len(athena.queries) == 3


# The words are Athena's and Trino's, from their documentation and trackers.
FAILURES = {
    "FAILED SYNTAX_ERROR: line 3:8: Column 'x' cannot be resolved": (BrokenQuery, "line 3:8"),
    f"FAILED INVALID_CAST_ARGUMENT: Cannot cast '{VALUE}' to DATE": (BrokenQuery, "INVALID_CAST"),
    f"FAILED HIVE_BAD_DATA: Error parsing field value '{VALUE}' for field 0 in s3://b/raw/a.gz": (
        FilesUnreadable,
        "s3://b/raw/a.gz",
    ),
    "FAILED HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://b/c.gz (offset=0, length=9)": (
        FilesUnreadable,
        "HIVE_CANNOT_OPEN_SPLIT",
    ),
    "FAILED PERMISSION_DENIED: User: arn:aws:iam::1:user/u is not authorized to perform: "
    "glue:GetTable on resource: arn:aws:glue:us-east-1:1:table/healthpipe/x": (
        UsageError,
        "glue:GetTable on arn:aws:glue:us-east-1:1:table/healthpipe/x",
    ),
    "FAILED HIVE_FILESYSTEM_ERROR: Access Denied (Service: Amazon S3; Status Code: 403) s3://b/k": (
        UsageError,
        "s3:GetObject on s3://b/k",
    ),
    "FAILED The specified bucket does not exist (Error Code: NoSuchBucket)": (UsageError, "bucket"),
    "FAILED Query timeout": (ServiceFailed, "longer"),
    "CANCELLED ": (ServiceFailed, "somebody else"),
    "CANCELLED Bytes scanned limit was exceeded": (UsageError, "workgroup"),
    "FAILED GENERIC_INTERNAL_ERROR: null": (BrokenQuery, "GENERIC_INTERNAL_ERROR"),
}


@pytest.mark.parametrize("life", FAILURES)
def test_a_failure_says_the_query_and_what_to_do_without_values_and_is_not_retried(life):
    kind, told = FAILURES[life]
    athena = Athena([life])
    with pytest.raises(kind) as raised:
        queries_of(athena).run(lambda _: "select 1")
    text = str(raised.value)
    assert told in text
    assert "query-1" in text
    assert VALUE not in text
    assert "\n" not in text
    assert raised.value.hint


def test_a_broken_query_is_a_bug_and_no_other_failure_is():
    ends = (life.split(" ", 1) for life in FAILURES)
    errors = (query_error(QueryExecution("q", state, 0, reason)) for state, reason in ends)
    assert set(map(workflow_name_of, errors)) == {"Bug", "Transient", "Misconfigured"}


def test_athenas_own_word_on_retries_counts_but_not_for_files():
    unknown = QueryExecution("q", "FAILED", 0, "SOMETHING_NEW: x", is_retryable=True)
    assert isinstance(query_error(unknown), ServiceFailed)
    athena = Athena(["FAILED HIVE_BAD_DATA: x"], ["SUCCEEDED"])
    athena.get_query_execution = retryable(athena.get_query_execution)
    with pytest.raises(FilesUnreadable):
        queries_of(athena).run(lambda number: f"to {number}")
    athena = Athena(["FAILED SOMETHING_NEW: x"], ["SUCCEEDED"])
    athena.get_query_execution = retryable(athena.get_query_execution)
    queries_of(athena).run(lambda number: f"to {number}")


def retryable(call):
    def asked(**request):
        answer = call(**request)
        answer["QueryExecution"]["Status"]["AthenaError"] = {"Retryable": True}
        return answer

    return asked


def test_a_run_that_has_scanned_too_much_ends_and_says_how_to_go_on():
    queries = queries_of(Athena(["SUCCEEDED"], ["SUCCEEDED"]), max_bytes_scanned=MB)
    queries.run(lambda _: "select 1")
    with pytest.raises(UsageError, match="--max-bytes-scanned"):
        queries.run(lambda _: "select 2")


def test_recorded_queries_are_stopped_and_seen_to_end():
    athena = Athena(["RUNNING"], ["RUNNING"])
    queries = queries_of(athena)
    for text in ("a", "b"):
        queries.api.start(text, text)
    ended = list(stop_and_wait(queries.api, ["query-1", "query-2", "unknown"]))
    assert [(each.id, each.state) for each in ended] == [
        ("query-1", "CANCELLED"),
        ("query-2", "CANCELLED"),
    ]


def test_the_cost_is_by_the_terabyte_and_at_least_ten_megabytes_a_query():
    assert estimated_usd([]) == 0
    assert estimated_usd([1024**4]) == 5.0
    assert estimated_usd([1]) == estimated_usd([10 * MB]) == pytest.approx(5 * 10 / 1024**2)
    assert estimated_usd([10 * MB + 1]) == pytest.approx(5 * 11 / 1024**2)
