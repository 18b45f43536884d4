"""Evidently's drift report: python evidently_drift.py BEFORE.parquet AFTER.parquet PAGE METHOD.

Prints the seconds of its calculations, and of its page.
"""

from __future__ import annotations

import sys
import time

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

if __name__ == "__main__":
    before, after, page, method = sys.argv[1:]
    reference, current = (pd.read_parquet(path) for path in (before, after))
    preset = DataDriftPreset() if method == "default" else DataDriftPreset(num_method=method)
    began = time.perf_counter()
    found = Report([preset]).run(current, reference)
    found.dict()
    calculated = time.perf_counter()
    found.save_html(page)
    print(calculated - began, time.perf_counter() - calculated)
