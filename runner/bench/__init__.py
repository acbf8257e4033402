"""The benchmark: many days through replay, scored beside baselines and other teams' systems."""
