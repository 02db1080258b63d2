"""Which statements Athena takes, and UNLOAD taken apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from tests.local_aws.front import Refused

INVALID = "InvalidRequestException"
MAX_BYTES = 262_144
# Whoever takes a statement and whoever runs it look at the same tree.
KEPT_TREES = 16
FIRST_WORDS = (
    "'ALTER', 'ANALYZE', 'CREATE', 'DESC', 'DESCRIBE', 'DROP', 'EXPLAIN', 'INSERT', 'SHOW', "
    "'UNLOAD', <query>"
)
QUERIES = ("SELECT", "WITH", "VALUES", "(")
FORMATS = ("PARQUET", "TEXTFILE", "JSON", "ORC", "AVRO")


@dataclass(frozen=True)
class Unload:
    """An UNLOAD taken apart: its query, its folder, and its properties in lower case."""

    select: str
    target: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogued:
    """A statement about the catalog: CREATE SCHEMA, DROP TABLE, SHOW TABLES and the like."""

    verb: str
    kind: str
    names: tuple[str, ...] = ()
    is_forgiving: bool = False


@dataclass(frozen=True)
class Statement:
    """A statement that Athena takes. `body` says what is to be run; a text is a query."""

    text: str
    body: str | Unload | Catalogued

    @property
    def type(self) -> str:
        """Athena's word for its kind."""
        return "DDL" if isinstance(self.body, Catalogued) else "DML"


def parsed(text: str, parameters: Sequence[str] = ()) -> Statement:
    """The statement of a text, a trailing semicolon left out, with `?` replaced by `parameters`.

    Raises `Refused` as StartQueryExecution does for what is not a statement of Athena.
    """
    if len(text.encode()) > MAX_BYTES:
        raise Refused(
            INVALID,
            "1 validation error detected: Value at 'queryString' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_BYTES}",
        )
    tokens = _tokens(text)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise Refused(INVALID, "line 1:1: mismatched input '<EOF>'. Expecting: " + FIRST_WORDS)
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise Refused(INVALID, f"Only one sql statement is allowed. Got: {text}")
    whole = text[tokens[0].start : tokens[-1].end + 1]
    first = tokens[0].text.upper()
    if first in QUERIES:
        return Statement(text, _query(whole, parameters))
    if first == "UNLOAD":
        unload = _unload(text, tokens)
        return Statement(text, Unload(_query(unload.select, parameters), *_rest(unload)))
    if first in {"CREATE", "DROP", "SHOW"}:
        return Statement(text, _catalogued(tokens))
    if first in {"INSERT", "ALTER", "DESCRIBE", "DESC", "EXPLAIN", "ANALYZE", "MSCK"}:
        raise Refused(INVALID, "Queries of this type are not supported")
    raise _mismatched(tokens[0], FIRST_WORDS)


def _rest(unload: Unload) -> tuple[str, dict[str, str]]:
    return unload.target, unload.properties


@cache
def _dialect() -> sqlglot.Dialect:
    return sqlglot.Dialect.get_or_raise("trino")


def _tokens(text: str) -> list[Token]:
    try:
        return _dialect().tokenize(text)
    except SqlglotError as error:
        raise Refused(INVALID, f"line 1:1: {str(error).splitlines()[0]}") from error


def _mismatched(token: Token, expecting: str) -> Refused:
    column = token.col - len(token.text) + 1
    return Refused(
        INVALID,
        f"line {token.line}:{column}: mismatched input '{token.text}'. Expecting: {expecting}",
    )


@lru_cache(KEPT_TREES)
def tree_of(sql: str) -> exp.Expr | None:
    """The tree of a text, not to be changed. Raises `SqlglotError`."""
    return _dialect().parse(sql)[0]


def _query(sql: str, parameters: Sequence[str]) -> str:
    """A query's text with its parameters put in. Raises `Refused` unless it is one query."""
    try:
        tree = tree_of(sql)
    except SqlglotError as error:
        raise _as_athena_says(error) from error
    if not isinstance(tree, exp.Query | exp.Values):
        raise Refused(INVALID, "Queries of this type are not supported")
    places = [node for node in tree.find_all(exp.Placeholder) if node.this is None]
    if not places and not parameters:
        return sql
    for place in places:
        if place.find_ancestor(exp.Where, exp.Query) is None or not place.find_ancestor(exp.Where):
            raise Refused(INVALID, "line 1:1: mismatched input '?'. Expecting: <expression>")
    if len(places) != len(parameters):
        raise Refused(
            INVALID,
            f"Incorrect number of parameters: expected {len(places)} but found {len(parameters)}",
        )
    return _filled(sql, parameters)


def _filled(sql: str, parameters: Sequence[str]) -> str:
    """The text with each `?` replaced by its parameter, which is SQL itself."""
    given = list(parameters)
    text = sql
    places = [token for token in _tokens(sql) if token.token_type is TokenType.PLACEHOLDER]
    for place in reversed(places):
        text = text[: place.start] + given.pop() + text[place.end + 1 :]
    return text


def _as_athena_says(error: SqlglotError) -> Refused:
    found = getattr(error, "errors", None) or [{}]
    line, column = found[0].get("line") or 1, found[0].get("col") or 1
    word = found[0].get("highlight") or "<EOF>"
    start = max(1, column - len(word) + 1)
    return Refused(INVALID, f"line {line}:{start}: mismatched input '{word}'")


def _unload(text: str, tokens: list[Token]) -> Unload:
    """UNLOAD (query) TO 'folder' WITH (name = value, ...)."""
    if len(tokens) < 2 or tokens[1].token_type is not TokenType.L_PAREN:
        raise _mismatched(tokens[min(1, len(tokens) - 1)], "'('")
    end = _closing(tokens, 1)
    rest = tokens[end + 1 :]
    if len(rest) < 2 or rest[0].text.upper() != "TO":
        raise _mismatched(rest[0] if rest else tokens[-1], "'TO'")
    target = rest[1].text
    if rest[1].token_type is not TokenType.STRING or not target.startswith("s3://"):
        raise _mismatched(rest[1], "<string>")
    properties = _properties(rest[2:])
    if "format" not in properties:
        raise Refused(INVALID, "Unload property 'format' is required")
    if properties["format"].upper() not in FORMATS:
        raise Refused(INVALID, f"Unsupported UNLOAD format: {properties['format']}")
    select = text[tokens[2].start : tokens[end - 1].end + 1]
    return Unload(select, target.rstrip("/") + "/", properties)


def _closing(tokens: list[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].token_type is TokenType.L_PAREN
        depth -= tokens[index].token_type is TokenType.R_PAREN
        if not depth:
            return index
    raise Refused(INVALID, "line 1:1: mismatched input '<EOF>'. Expecting: ')'")


def _properties(tokens: list[Token]) -> dict[str, str]:
    if not tokens:
        return {}
    if tokens[0].text.upper() != "WITH" or len(tokens) < 3:
        raise _mismatched(tokens[0], "'WITH', <EOF>")
    inner = tokens[2:-1]
    found: dict[str, str] = {}
    while inner:
        if len(inner) < 3 or inner[1].token_type is not TokenType.EQ:
            raise _mismatched(inner[0], "<identifier> '=' <expression>")
        found[inner[0].text.lower()] = inner[2].text
        inner = inner[4:]
    known = {"format", "compression", "compression_level", "field_delimiter", "partitioned_by"}
    if set(found) - known:
        raise Refused(INVALID, f"Unknown UNLOAD property: {min(set(found) - known)}")
    if "partitioned_by" in found:
        raise Refused(INVALID, "partitioned_by is not supported by this local Athena")
    return found


def _catalogued(tokens: list[Token]) -> Catalogued:
    words = [token.text for token in tokens]
    verb, kind = words[0].upper(), words[1].upper() if len(words) > 1 else ""
    kind = {"DATABASE": "SCHEMA", "DATABASES": "SCHEMAS"}.get(kind, kind)
    known = {
        "CREATE": ("SCHEMA",), "DROP": ("SCHEMA", "TABLE", "VIEW"), "SHOW": ("SCHEMAS", "TABLES"),
    }  # fmt: skip
    if kind not in known[verb]:
        raise Refused(INVALID, "Queries of this type are not supported")
    rest = words[2:]
    skipped = {"IF", "NOT", "EXISTS", "IN", "FROM", ".", "CASCADE", "RESTRICT"}
    names = tuple(word for word in rest if word.upper() not in skipped)
    return Catalogued(verb, kind, names, is_forgiving="EXISTS" in [w.upper() for w in rest])
