-- too_deep where brackets nest deeper than `levels`; not_json where they do not close; else NULL.
-- Nesting that deep opens one kind of bracket more than half as often, and takes two bytes a level:
-- only such lines are looked at.
create or replace temp macro json_brackets_kind(line, levels) as
  case
    when strlen(line) > 2 * levels
      and (
        line like repeat('%[', levels // 2 + 1) || '%'
        or line like repeat('%{', levels // 2 + 1) || '%'
      )
    then case
      when regexp_matches(json_brackets(line, levels), '[\[{][\]}]') then 'too_deep'
      when json_brackets(line, levels) <> '' then 'not_json'
    end
  end
