"""Widgets for exploring in JupyterLab: they filter and show results, and compute nothing."""

from aiops_lab.widgets.behaviour import BehaviourExplorer, explore_behaviour
from aiops_lab.widgets.decisions import DecisionExplorer, explore_decisions
from aiops_lab.widgets.flips import FlipBrowser, browse_flips
from aiops_lab.widgets.form import ParameterForm, parameter_form
from aiops_lab.widgets.retrieval import StripBrowser, browse_questions
from aiops_lab.widgets.runs import RunPicker, pick_runs
from aiops_lab.widgets.slices import SliceExplorer, explore_slices

__all__ = [
    "BehaviourExplorer",
    "DecisionExplorer",
    "FlipBrowser",
    "ParameterForm",
    "RunPicker",
    "SliceExplorer",
    "StripBrowser",
    "browse_flips",
    "browse_questions",
    "explore_behaviour",
    "explore_decisions",
    "explore_slices",
    "parameter_form",
    "pick_runs",
]
