-- The word for a line that is not JSON: too_deep where its brackets nest deeper than `levels`.
create or replace temp macro json_malformed(line, levels) as
  coalesce(json_brackets_kind(line, levels), 'not_json')
