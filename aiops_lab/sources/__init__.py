"""Readers: one module per foreign format, each turning a file into canonical tables.

A third party adds a format with an entry point of the group ``aiops_lab.sources`` that loads a
`Source`.
"""

from aiops_lab.sources.contract import Batch, Mapping, Problem, Source

__all__ = ["Batch", "Mapping", "Problem", "Source"]
