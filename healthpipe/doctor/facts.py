"""What the Athena adapter rests on: facts that are written down, and here tried out."""

from healthpipe.doctor import facts_of_adapter, facts_of_files, facts_of_queries, facts_of_sql
from healthpipe.doctor.fact import Fact

MODULES = (facts_of_files, facts_of_queries, facts_of_sql, facts_of_adapter)


def all_facts() -> list[Fact]:
    """The facts, the simplest first."""
    return [fact for module in MODULES for fact in module.FACTS]
