-- The same for a line that may be JSON, so that nothing has to parse what nests deeper than `levels`.
-- In JSON an object takes five bytes a level, so that half of the levels in few bytes are arrays.
create or replace temp macro json_nesting(line, levels) as
  case
    when strlen(line) > 2 * levels
      and (
        line like repeat('%[', levels // 2 + 1) || '%'
        or (
          strlen(line) > 7 * levels // 2 and line like repeat('%{', levels // 2 + 1) || '%'
        )
      )
    then json_brackets_kind(line, levels)
  end
