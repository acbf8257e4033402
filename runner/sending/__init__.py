"""Notifications to people: through which channel, how often tried, and what came of it."""
