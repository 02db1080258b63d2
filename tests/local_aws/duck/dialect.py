"""Athena's text as DuckDB's: sqlglot's translation, after calls that DuckDB would read otherwise
are given to functions of ours.
"""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from tests.local_aws.athena.statement import tree_of

PATH = "$path"


def parsed(sql: str) -> exp.Query:
    """The tree of a query of Athena."""
    tree = tree_of(sql)
    assert isinstance(tree, exp.Query)
    return tree.copy()


def tables(tree: exp.Query) -> list[exp.Table]:
    """The places where a query names tables of the catalog."""
    return [
        source
        for scope in traverse_scope(tree)
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and source.name
    ]


def table(relation: str, place: exp.Table) -> exp.Table:
    """A relation in the place of a table, under the name that the query knows it by."""
    named = place.args.get("alias") or exp.TableAlias(this=exp.to_identifier(place.name))
    return exp.Table(this=exp.to_identifier(relation), alias=named.copy())


def without_paths(tree: exp.Query, names: set[str]) -> bool:
    """Whether a query nowhere names `$path`, which is hidden: where it does, it is taken out of
    what a star over the tables of these names stands for.
    """
    if not any(node.name == PATH for node in tree.find_all(exp.Identifier)):
        return True
    hidden = [exp.to_identifier(PATH, quoted=True)]
    for scope in traverse_scope(tree):
        held = {name for name in scope.sources if name in names}
        for star in scope.expression.find_all(exp.Star) if held else ():
            column = star.parent if isinstance(star.parent, exp.Column) else None
            of_scope = star.find_ancestor(exp.Select) is scope.expression
            counted = isinstance(star.parent, exp.Count)
            if of_scope and not counted and (column is None or column.table in held):
                star.set("except_", hidden)
    return False


def translated(tree: exp.Query) -> str:
    """The text for DuckDB."""
    _name_columns(tree)
    root = exp.Subquery(this=tree)
    for node in reversed(list(tree.dfs())):
        change = CHANGES.get(type(node))
        if change:
            replacement = change(node)
            if replacement is not node:
                node.replace(replacement)
    return root.this.sql("duckdb", comments=False)


def _name_columns(tree: exp.Query) -> None:
    """Call the columns of a result that have no name as Trino does, by their place."""
    selects = tree.selects
    for place, select in enumerate(selects):
        if not isinstance(select, exp.Alias | exp.Column | exp.Dot) and not select.is_star:
            select.replace(exp.alias_(select.copy(), f"_col{place}"))


def _call(name: str, *arguments: Any) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _tried(node: Any) -> exp.Expr:
    """try(json_parse(x)): DuckDB's own TRY goes row by row once a row fails."""
    if isinstance(node.this, exp.Anonymous) and node.this.name == "trino_json_parse":
        return _call("trino_try_json_parse", *node.this.expressions)
    return node  # type: ignore[no-any-return]


def _cast(node: Any) -> exp.Expr:
    wanted = node.to.sql("trino").replace(" ", "").upper()
    function = {"ARRAY(JSON)": "json_items", "MAP(VARCHAR,JSON)": "json_members"}.get(wanted)
    if function is None or isinstance(node.this, exp.Null):
        return node  # type: ignore[no-any-return]
    forgiving = isinstance(node, exp.TryCast)
    return _call(f"trino_try_{function}" if forgiving else f"trino_{function}", node.this)


def _from_utf8(node: Any) -> exp.Expr:
    replacement = node.args.get("replace") or exp.Literal.string("\ufffd")
    if isinstance(node.this, exp.Anonymous) and node.this.name == "trino_to_utf8":
        return _call("trino_valid_text", *node.this.expressions, replacement)
    return _call("trino_from_utf8", node.this, replacement)


def _length(node: Any) -> exp.Expr:
    inner = node.this
    binary = isinstance(inner, exp.FromBase64 | exp.Unhex) or inner.name == "trino_to_utf8"
    return _call("octet_length", inner) if binary else node


def _reduced(node: Any) -> exp.Expr:
    """reduce(list, start, step, end): DuckDB has no end."""
    finish = node.args.get("finish")
    if finish is None:
        return node  # type: ignore[no-any-return]
    bare = node.copy()
    bare.set("finish", None)
    (name,) = finish.expressions
    return _put(finish.this.copy(), {name.name: bare})


def _zipped(node: Any) -> exp.Expr:
    """zip_with(a, b, (x, y) -> e), where the shorter list is filled up with NULLs."""
    left, right, function = node.expressions
    pair = exp.to_identifier("pair")
    # Indices in a tree begin at 0.
    first, second = function.expressions
    places = {
        first.name: exp.Bracket(this=exp.column("pair"), expressions=[exp.Literal.number(0)]),
        second.name: exp.Bracket(this=exp.column("pair"), expressions=[exp.Literal.number(1)]),
    }
    body = _put(function.this.copy(), places)
    return exp.Transform(
        this=_call("list_zip", left, right), expression=exp.Lambda(this=body, expressions=[pair])
    )


def _matched(comparison: type[exp.Binary]) -> Callable[[Any], exp.Expr]:
    """any_match and none_match (without Trino's NULL for what is not known)."""

    def replace(node: Any) -> exp.Expr:
        kept = exp.Length(this=_call("list_filter", *node.expressions))
        return exp.paren(comparison(this=kept, expression=exp.Literal.number(0)))

    return replace


def _named(node: Any) -> exp.Expr:
    change = CHANGES_BY_NAME.get(node.name.lower())
    return change(node) if change else node


def _position(node: Any) -> exp.Expr:
    occurrence = node.args.get("occurrence")
    if occurrence is None:
        return node  # type: ignore[no-any-return]
    return _call("strpos_of", node.this, node.args["substr"], occurrence)


def _divided(node: Any) -> exp.Expr:
    """Whole numbers divide to a whole number; here only where they are written out."""
    if not (node.this.is_int and node.expression.is_int):
        return node  # type: ignore[no-any-return]
    return exp.IntDiv(this=node.this, expression=node.expression)


def _matches(node: Any) -> exp.Expr:
    if not _is_java_only(node.expression):
        return node  # type: ignore[no-any-return]
    return _call("java_regexp_like", node.this, node.expression)


def _regexp_replaced(node: Any) -> exp.Expr:
    """regexp_replace with what DuckDB's patterns have not, or with a function of the groups."""
    replacement = node.args.get("replacement") or exp.Literal.string("")
    if not isinstance(replacement, exp.Lambda):
        if not _is_java_only(node.expression):
            return node  # type: ignore[no-any-return]
        return _call("java_regexp_replace", node.this, node.expression, replacement)
    (token,) = replacement.expressions
    groups = exp.Dot(this=exp.column("part"), expression=exp.to_identifier("groups"))
    before = exp.Dot(this=exp.column("part"), expression=exp.to_identifier("before"))
    instead = _put(replacement.this.copy(), {token.name: groups})
    body = _call("concat", before, _call("if", exp.Is(this=groups.copy(), expression=exp.null()),
                                         exp.Literal.string(""), instead))  # fmt: skip
    parts = _call("regexp_parts", node.this, node.expression)
    changed = exp.Lambda(this=body, expressions=[exp.to_identifier("part")])
    return _call(
        "array_to_string", exp.Transform(this=parts, expression=changed), exp.Literal.string("")
    )


def _is_java_only(pattern: exp.Expr) -> bool:
    """Whether a pattern has possessive quantifiers or looks around, which RE2 has not."""
    return re.search(r"[+*?}]\+|\(\?(?:=|!|<=|<!|>)", pattern.name) is not None


def _put(body: exp.Expr, values: dict[str, exp.Expr]) -> exp.Expr:
    def replace(node: exp.Expr) -> exp.Expr:
        plain = isinstance(node, exp.Identifier | exp.Column) and node.name in values
        if isinstance(node, exp.Identifier) and isinstance(node.parent, exp.Column | exp.Dot):
            plain = False
        return values[node.name].copy() if plain else node

    return body.transform(replace)


def _path(node: Any) -> exp.Expr:
    return node.expression.copy()  # type: ignore[no-any-return]


CHANGES: dict[type, Callable[[Any], exp.Expr]] = {
    exp.Try: _tried,
    exp.ParseJSON: lambda node: _call("trino_json_parse", node.this),
    exp.JSONExtract: lambda node: _call("trino_json_extract", node.this, _path(node)),
    exp.JSONExtractScalar: lambda node: _call("trino_json_extract_scalar", node.this, _path(node)),
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Encode: lambda node: _call("trino_to_utf8", node.this),
    exp.Decode: _from_utf8,
    exp.Length: _length,
    exp.Reduce: _reduced,
    exp.StrPosition: _position,
    exp.Div: _divided,
    exp.RegexpLike: _matches,
    exp.RegexpReplace: _regexp_replaced,
    exp.Anonymous: _named,
}
CHANGES_BY_NAME: dict[str, Callable[[Any], exp.Expr]] = {
    "zip_with": _zipped,
    "any_match": _matched(exp.GT),
    "none_match": _matched(exp.EQ),
    "json_array_length": lambda node: _call("trino_json_array_length", *node.expressions),
}
