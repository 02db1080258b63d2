"""`runs rollback`: an earlier run is live again."""

from tests.conftest import AS_OF


def test_the_command_prints_what_is_live_now(cli, examples, tmp_path):
    first, second = (
        cli("orchestrate", "examples", "--as-of", day, "--json").document["run_id"]
        for day in (AS_OF, "2026-02-16")
    )

    outcome = cli("runs", "rollback")

    assert outcome.code == 0
    assert outcome.out == cli("current").out
    assert f"data/production/{first}/extract.parquet" in outcome.out.splitlines()
    assert (
        f"run {first} as of {AS_OF} is live again as generation 3; run {second} was" in outcome.err
    )
    document = cli("runs", "rollback", second, "--json").document
    assert (document["command"], document["status"]) == ("runs rollback", "succeeded")
    assert document["run_id"] == second
    assert document["production"] == cli("current", "--json").document
    assert (cli("runs", "rollback", "--quiet").out, cli("runs", "rollback", first).code) == ("", 2)
