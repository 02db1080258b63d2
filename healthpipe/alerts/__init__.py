"""Alerts about runs and expiring accreditations: messages, channels, and what was sent."""
