"""The probe over the local AWS whose Athena runs on a real Trino."""

import pytest

from tests.support.athena_root import BUCKET
from tests.support.doctor import assert_all_holds


@pytest.mark.every_engine("trino")
@pytest.mark.sample
def test_every_fact_holds_on_trino(cli, session_aws):
    session_aws.client("s3").create_bucket(Bucket=BUCKET)
    assert_all_holds(cli, session_aws)
