"""The project's workflow: the one file that this machine and Step Functions run."""

from pathlib import Path


def pipeline_path() -> Path:
    """Where the workflow lies."""
    return Path(__file__).with_name("pipeline.asl.json")
