"""One file per verb of the command line.

Each has ``SUMMARY`` (one line), ``add_arguments(parser)`` and ``run(args) -> int`` (the exit status).
Heavy imports belong inside ``run``: the list of verbs imports every one of these files.
"""
