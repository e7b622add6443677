"""Agents and gateways as processes: traces from two agents, one gateway more, one gateway killed, whole traces counted.

`python -m bench.gateway --help`; docs/scale.md says what it found.
"""
