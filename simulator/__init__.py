"""A city made of physics that breaks on purpose and knows why will live here; nothing yet."""
