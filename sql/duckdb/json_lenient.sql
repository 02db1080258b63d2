-- Whether a line holds what DuckDB's parser lets through and RFC 8259 does not: trailing
-- commas, NaN, Infinity. Cheap patterns find the few suspects; only those are looked at closely.
create or replace temp macro json_lenient(line) as
  case
    when case
      when regexp_matches(line, ',[ \t]*[\]}]') then true
      when regexp_matches(line, '(?i)nan') or regexp_matches(line, '(?i)inf')
      then regexp_matches(line, '(?i)(^|[:,\[])[ \t]*-?(nan|inf)')
      else false
    end
    then regexp_matches(json_outline(line), '(?i)nan|inf|,[ \t]*[\]}]')
    else false
  end
