"""SNS that is down, slow or throttles: said, recorded, and made good by the next run."""

import http.server
import json
import socket
import threading
from types import SimpleNamespace

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.faults.kills import RUN
from tests.faults.site import require_recovered, require_whole

pytestmark = pytest.mark.slow
REGION = "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:alerts"
PATIENCE_S = 2.0
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
THROTTLED = b"""<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error>
<Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>
<RequestId>0</RequestId></ErrorResponse>"""


class Throttling(http.server.BaseHTTPRequestHandler):
    """Refuses every call because there were too many."""

    def do_POST(self):
        self.send_response(400)
        self.send_header("Content-Length", str(len(THROTTLED)))
        self.end_headers()
        self.wfile.write(THROTTLED)

    def log_message(self, *_):
        pass


@pytest.fixture(params=["down", "slow", "throttled"])
def broken_sns(request):
    """The address of an SNS that takes no message."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if request.param == "down":  # nobody listens
            yield address
        elif request.param == "slow":  # the system takes connections, and nobody answers
            listener.listen(50)
            yield address
        else:
            listener.close()
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Throttling)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            server.server_close()


@pytest.fixture
def sns():
    """A working SNS: its address, and `read()` for what a queue was sent by the topic."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())

    def client(service):
        return boto3.client(service, REGION, endpoint_url=address, **CREDENTIALS)

    topic = client("sns").create_topic(Name="alerts")["TopicArn"]
    assert topic == TOPIC
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    asked = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn["QueueArn"]}
    subscription = client("sns").subscribe(**asked)["SubscriptionArn"]

    def read():
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(each["Body"]) for each in received]

    yield SimpleNamespace(address=address, read=read)
    # All servers of moto in a process know the same topics, queues and subscriptions.
    client("sns").unsubscribe(SubscriptionArn=subscription)
    client("sns").delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=url)
    server.stop()


@pytest.fixture
def site(bench):
    site = bench.copy(bench.fresh)
    yield site
    site.remove()


def run(bench, site, address):
    return bench.launcher.run(
        site.folder,
        *RUN,
        "--sns-topic",
        TOPIC,
        env={
            "AWS_ENDPOINT_URL_SNS": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        before=[("hurry_sns", {"patience": PATIENCE_S})],
    )


def alerts_of(site):
    """What the last record says of alerts, by what they are about."""
    return {alert["about"]: alert for alert in site.records[-1]["alerts"]}


def test_a_good_run_stays_good_and_the_next_one_tells(bench, site, broken_sns, sns):
    ended = run(bench, site, broken_sns)

    assert ended.code == 0, ended.err
    assert "alert not sent: SNS did not take the alert" in ended.err
    assert ended.seconds < 2 * PATIENCE_S + 3 * bench.seconds + 3
    told = alerts_of(site)["expiring"]
    assert (told["sent"], told["announced"]) == (0, 0)
    assert "SNS did not take the alert" in told["problem"]
    require_whole(site, (2,))

    ended = run(bench, site, sns.address)

    (message,) = sns.read()
    assert message["Subject"].startswith("healthpipe: accreditations due: 5 critical, 3 high")
    assert alerts_of(site)["expiring"]["announced"] == 37
    require_recovered(site, ended, bench.expected)


def test_a_failing_run_keeps_its_exit_code_and_the_next_one_tells(bench, site, broken_sns, sns):
    bad = site.root / "raw" / "2026-02-16" / "bad.jsonl"
    bad.write_text("{\n" * 100)

    failed = run(bench, site, broken_sns)

    assert failed.code == 3, failed.err
    assert "alert not sent: SNS did not take the alert" in failed.err
    assert failed.err.splitlines()[-1].startswith("healthpipe: ")
    assert "SNS did not take the alert" in alerts_of(site)["failure"]["problem"]
    require_whole(site, (1,))

    bad.unlink()
    ended = run(bench, site, sns.address)

    messages = {message["Subject"]: message["Message"] for message in sns.read()}
    assert messages["healthpipe: run failed at Audit (gate failed)"].startswith("Late: ")
    assert "healthpipe: recovered, a run succeeded" in messages
    require_recovered(site, ended, bench.expected)
