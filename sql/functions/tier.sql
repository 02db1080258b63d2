-- How soon an accreditation lapses, in one word, by the days until then.
case
  when :value < 0 then :expired
  when :value <= :critical_days then :critical
  when :value <= :high_days then :high
  when :value <= :medium_days then :medium
  else :later
end
