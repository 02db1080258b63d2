"""The contract of records: what a line, a value and a rule mean (design sections 5 and 6)."""
