"""Pictures of results: a result goes in, an Altair chart or a table comes out.

Importing this package sets the house's theme and a renderer that JupyterLab draws offline and that
reports take charts from.
"""

from aiops_lab.charts import (
    answers,
    compare,
    editions,
    gate,
    landscape,
    passages,
    retrieval,
    theme,
    trust,
)
from aiops_lab.charts.table import checks, table

__all__ = [
    "answers",
    "checks",
    "compare",
    "editions",
    "gate",
    "landscape",
    "passages",
    "retrieval",
    "table",
    "theme",
    "trust",
]

theme.enable()
