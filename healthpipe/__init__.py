"""Key figures, lapsing accreditations and counts by state from healthcare facility snapshots."""

__version__ = "0.1.0"
