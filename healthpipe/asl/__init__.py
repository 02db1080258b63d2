"""Amazon States Language (JSONPath): load, check, draw and run state machine definitions.

The rules are those of the specification, https://states-language.net/spec.html; where it leaves
something open, Step Functions' documentation decides. Implemented: Task, Parallel, Choice, Wait,
Pass, Succeed and Fail; reference paths; the intrinsic functions. All else is refused when loaded.
"""
