"""A utility's own model files become a draft of a city model, to be reviewed by an engineer.

One module reads each kind of file into a ``draft.Part``; ``draft``, ``places``, ``couplings`` and ``writing``
know nothing of any format. Every module says what it could not take along.
"""
