"""The past as a player shows it: thought through once, looked at as it was known at any moment."""
