"""What the Athena adapter rests on: facts that are written down, and here tried out."""

from healthpipe.doctor import facts_of_files, facts_of_sql, facts_sql, facts_tables
from healthpipe.doctor.fact import Fact

MODULES = (facts_of_files, facts_tables, facts_of_sql, facts_sql)


def all_facts() -> list[Fact]:
    """The facts, the simplest first."""
    return [fact for module in MODULES for fact in module.FACTS]
