-- Whether a line holds what DuckDB's parser lets through and RFC 8259 does not: trailing
-- commas, NaN, Infinity. Those follow a comma or a colon, with brackets between them or none, or are
-- in a line that begins with something else than an object: only such suspects are looked at
-- closely. Patterns that begin with one character are cheap.
create or replace temp macro json_lenient(line) as
  case
    when line < '{' or line >= '|'
      or regexp_matches(line, ',[ \t]*(?:[\]}]|[ \t\[]*-?(?:[nN][aA][nN]|[iI][nN][fF]))')
      or regexp_matches(line, ':[ \t\[]*-?(?:[nN][aA][nN]|[iI][nN][fF])')
    then regexp_matches(json_outline(line), '(?i)nan|inf|,[ \t]*[\]}]')
    else false
  end
