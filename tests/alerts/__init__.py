"""Alerts: channels, messages, what was announced to whom."""
