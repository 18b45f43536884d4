"""What one answer shows: its length, form, tone and language, and whether it declines."""

from aiops_lab.measures.json_text import repair_json
from aiops_lab.measures.measure import MEASURES, Measure, measure
from aiops_lab.measures.yaml_text import repair_yaml

__all__ = ["MEASURES", "Measure", "measure", "repair_json", "repair_yaml"]
