"""Where the queries of an engine elsewhere are written down while they run."""

from dataclasses import dataclass

from healthpipe.runs.attempts import Attempt
from healthpipe.runs.run import Run
from healthpipe.workflow.queries import QUERIES, scanned, with_ended, with_started


@dataclass(frozen=True)
class StepJournal:
    """The queries of a step, in the step's document with those of its earlier attempts."""

    attempt: Attempt

    def started(self, query_id: str, token: str) -> None:
        """Write down a query before anybody waits for it."""
        queries = with_started(self.attempt.notes, query_id, token)
        if queries != self.attempt.notes.get(QUERIES):
            self.attempt.note(queries=queries)

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Keep how a query ended; the next change of the document writes it down."""
        notes = self.attempt.notes
        notes[QUERIES] = with_ended(notes, query_id, state, bytes_scanned)

    def scanned(self) -> int:
        """The bytes that the queries of the run have scanned, those of other steps as the record
        tells.
        """
        steps = self.attempt.run.record.steps
        others = [step for step in steps if step["name"] != self.attempt.step]
        return scanned(self.attempt.notes) + sum(map(scanned, others))


@dataclass(frozen=True)
class RunJournal:
    """The queries of a stage that is run by hand, in the run's record."""

    run: Run

    def started(self, query_id: str, token: str) -> None:
        """Write down a query before anybody waits for it."""
        self.run.note(queries=with_started(self.run.record.details, query_id, token))

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Write down how a query ended."""
        self.run.note(queries=with_ended(self.run.record.details, query_id, state, bytes_scanned))

    def scanned(self) -> int:
        """The bytes that the run's queries have scanned."""
        return scanned(self.run.record.details)
