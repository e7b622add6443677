"""Faults in the pipeline, with every item numbered: what was acknowledged is stored, or dropped by a stated reason.

`python -m bench.faults --help`; docs/reliability.md says what it found.
"""
