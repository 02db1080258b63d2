"""All cases of valid workflows, by what they are about."""

from tests.asl.cases import choosing, data_flow, failing, flowing, intrinsics

CASES = {
    f"{name}: {case}": told
    for name, cases in {
        "data": data_flow.CASES,
        "functions": intrinsics.CASES,
        "choices": choosing.CASES,
        "errors": failing.CASES,
        "flow": flowing.CASES,
    }.items()
    for case, told in cases.items()
}
