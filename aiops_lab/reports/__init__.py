"""Notebooks run headless, and the pages made of them."""

from aiops_lab.reports.run import Report, run_report

__all__ = ["Report", "run_report"]
