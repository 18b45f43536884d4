"""Widgets for exploring in JupyterLab: they filter and show results, and compute nothing."""

from aiops_lab.widgets.attacks import AttackBrowser, browse_attacks
from aiops_lab.widgets.behaviour import BehaviourExplorer, explore_behaviour
from aiops_lab.widgets.decisions import DecisionExplorer, explore_decisions
from aiops_lab.widgets.flips import FlipBrowser, browse_flips
from aiops_lab.widgets.form import ParameterForm, parameter_form
from aiops_lab.widgets.incident import IncidentPicker, pick_incident
from aiops_lab.widgets.requests import RequestComparer, compare_requests
from aiops_lab.widgets.retrieval import StripBrowser, browse_questions
from aiops_lab.widgets.runs import RunPicker, pick_runs
from aiops_lab.widgets.slices import SliceExplorer, explore_slices
from aiops_lab.widgets.suspects import SuspectExplorer, explore_suspects

__all__ = [
    "AttackBrowser",
    "BehaviourExplorer",
    "DecisionExplorer",
    "FlipBrowser",
    "IncidentPicker",
    "ParameterForm",
    "RequestComparer",
    "RunPicker",
    "SliceExplorer",
    "StripBrowser",
    "SuspectExplorer",
    "browse_attacks",
    "browse_flips",
    "browse_questions",
    "compare_requests",
    "explore_behaviour",
    "explore_decisions",
    "explore_slices",
    "explore_suspects",
    "parameter_form",
    "pick_incident",
    "pick_runs",
]
