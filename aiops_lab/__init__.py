"""aiops-lab: the notebook laboratory for teams who run AI in production."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiops_lab.errors import LabError
    from aiops_lab.guard.gate import attack_gate
    from aiops_lab.guard.review import SecurityReview, security_review
    from aiops_lab.ingest import Ingest
    from aiops_lab.lab import Lab, demo_lab, open_lab
    from aiops_lab.measures import measure, repair_json, repair_yaml
    from aiops_lab.measures.leaks import find_canaries
    from aiops_lab.measures.learned import learn_refusals
    from aiops_lab.measures.support import lexical_support
    from aiops_lab.respond.slices import find_slices
    from aiops_lab.respond.triage import Triage, triage
    from aiops_lab.result import Result
    from aiops_lab.ship.compare import Comparison, compare_runs
    from aiops_lab.ship.formats import format_spread
    from aiops_lab.ship.gate import Gate, release_gate
    from aiops_lab.ship.iterate import prompt_loop
    from aiops_lab.ship.plan import plan_gate
    from aiops_lab.ship.rank import rank_runs
    from aiops_lab.ship.retrieval.drift import index_drift
    from aiops_lab.ship.retrieval.editions import next_edition
    from aiops_lab.ship.retrieval.experiment import run_retrieval
    from aiops_lab.ship.retrieval.score import Retrieval, score_retrieval
    from aiops_lab.ship.retrieval.traced import traced_hits
    from aiops_lab.ship.retrieval.writer import retriever_or_writer
    from aiops_lab.target.budget import Budget, error_budget
    from aiops_lab.target.cost import ChangeCost, change_cost
    from aiops_lab.traffic.summaries import summarise
    from aiops_lab.verdict import Evidence, Verdict, together
    from aiops_lab.watch.behaviour import Behaviour, watch_behaviour
    from aiops_lab.watch.changes import git_changes
    from aiops_lab.watch.judged_days import judged_days
    from aiops_lab.watch.routing.attributions import attribute_decisions, mean_attributions
    from aiops_lab.watch.routing.demo import demo_router
    from aiops_lab.watch.routing.find import RoutingShifts, find_routing_shifts
    from aiops_lab.watch.routing.monitor import DecisionShifts, watch_decisions
    from aiops_lab.watch.routing.one import explain_decision
    from aiops_lab.watch.shifts import Shifts, detect_shifts
    from aiops_lab.watch.signals import score_and_users
    from aiops_lab.watch.texts import changed_texts

__version__ = "0.1.0"
__all__ = [
    "Behaviour",
    "Budget",
    "ChangeCost",
    "Comparison",
    "DecisionShifts",
    "Evidence",
    "Gate",
    "Ingest",
    "Lab",
    "LabError",
    "Result",
    "Retrieval",
    "RoutingShifts",
    "SecurityReview",
    "Shifts",
    "Triage",
    "Verdict",
    "attack_gate",
    "attribute_decisions",
    "change_cost",
    "changed_texts",
    "compare_runs",
    "demo_lab",
    "demo_router",
    "detect_shifts",
    "error_budget",
    "explain_decision",
    "find_canaries",
    "find_routing_shifts",
    "find_slices",
    "format_spread",
    "git_changes",
    "index_drift",
    "judged_days",
    "learn_refusals",
    "lexical_support",
    "mean_attributions",
    "measure",
    "next_edition",
    "open_lab",
    "plan_gate",
    "prompt_loop",
    "rank_runs",
    "release_gate",
    "repair_json",
    "repair_yaml",
    "retriever_or_writer",
    "run_retrieval",
    "score_and_users",
    "score_retrieval",
    "security_review",
    "summarise",
    "together",
    "traced_hits",
    "triage",
    "watch_behaviour",
    "watch_decisions",
]

_HOMES = {
    "Behaviour": "watch.behaviour",
    "Budget": "target.budget",
    "ChangeCost": "target.cost",
    "Comparison": "ship.compare",
    "DecisionShifts": "watch.routing.monitor",
    "Evidence": "verdict",
    "Gate": "ship.gate",
    "Ingest": "ingest",
    "Lab": "lab",
    "LabError": "errors",
    "Result": "result",
    "Retrieval": "ship.retrieval.score",
    "RoutingShifts": "watch.routing.find",
    "SecurityReview": "guard.review",
    "Shifts": "watch.shifts",
    "Triage": "respond.triage",
    "Verdict": "verdict",
    "attack_gate": "guard.gate",
    "attribute_decisions": "watch.routing.attributions",
    "change_cost": "target.cost",
    "changed_texts": "watch.texts",
    "charts": "charts",
    "compare_runs": "ship.compare",
    "demo_lab": "lab",
    "demo_router": "watch.routing.demo",
    "detect_shifts": "watch.shifts",
    "error_budget": "target.budget",
    "explain_decision": "watch.routing.one",
    "find_canaries": "measures.leaks",
    "find_routing_shifts": "watch.routing.find",
    "find_slices": "respond.slices",
    "format_spread": "ship.formats",
    "git_changes": "watch.changes",
    "index_drift": "ship.retrieval.drift",
    "judged_days": "watch.judged_days",
    "learn_refusals": "measures.learned",
    "lexical_support": "measures.support",
    "mean_attributions": "watch.routing.attributions",
    "measure": "measures",
    "next_edition": "ship.retrieval.editions",
    "open_lab": "lab",
    "plan_gate": "ship.plan",
    "prompt_loop": "ship.iterate",
    "rank_runs": "ship.rank",
    "release_gate": "ship.gate",
    "repair_json": "measures",
    "repair_yaml": "measures",
    "retriever_or_writer": "ship.retrieval.writer",
    "run_retrieval": "ship.retrieval.experiment",
    "score_and_users": "watch.signals",
    "score_retrieval": "ship.retrieval.score",
    "security_review": "guard.review",
    "summarise": "traffic.summaries",
    "together": "verdict",
    "traced_hits": "ship.retrieval.traced",
    "triage": "respond.triage",
    "watch_behaviour": "watch.behaviour",
    "watch_decisions": "watch.routing.monitor",
}


def __getattr__(name: str) -> Any:
    """Import the home of a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"aiops_lab has no {name!r}")
    module = import_module(f"aiops_lab.{_HOMES[name]}")
    return module if name == _HOMES[name] else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "charts", "__version__"])
