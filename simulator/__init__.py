"""A city made of physics that breaks on purpose and knows why.

Needs the extra ``simulate``; only verbs import it.

A day, from the outside in: ``scenario`` (what shall break), ``making`` (recording and labels), ``run`` (the
coupled minutes), ``water``, ``drainage``, ``power`` (EPANET, SWMM, OpenDSS) and ``street`` (litter, traffic).
``sensors`` publish, ``truth`` compares with twins, ``commissioning`` sets limits, ``suite`` draws benchmarks.
"""
