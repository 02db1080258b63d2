"""The probe over the local AWS whose Athena runs on a real Trino."""

import pytest

from tests.athena_site import BUCKET
from tests.local_aws import local_aws
from tests.test_doctor_on_aws import assert_all_holds
from tests.trino_server import why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=str(why_not()))]


@pytest.fixture
def on_trino(monkeypatch):
    with local_aws("trino") as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield aws


def test_every_fact_holds_on_trino(cli, on_trino):
    assert_all_holds(cli, on_trino)
