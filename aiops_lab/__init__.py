"""aiops-lab: the notebook laboratory for teams who run AI in production."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what an editor sees; `_HOMES` says the same of what is imported
    from aiops_lab import charts as charts
    from aiops_lab.errors import LabError as LabError
    from aiops_lab.guard.gate import attack_gate as attack_gate
    from aiops_lab.guard.review import SecurityReview as SecurityReview
    from aiops_lab.guard.review import security_review as security_review
    from aiops_lab.ingest import Ingest as Ingest
    from aiops_lab.lab import Lab as Lab
    from aiops_lab.lab import demo_lab as demo_lab
    from aiops_lab.lab import open_lab as open_lab
    from aiops_lab.measures import measure as measure
    from aiops_lab.measures import repair_json as repair_json
    from aiops_lab.measures import repair_yaml as repair_yaml
    from aiops_lab.measures.leaks import find_canaries as find_canaries
    from aiops_lab.measures.learned import learn_refusals as learn_refusals
    from aiops_lab.measures.support import lexical_support as lexical_support
    from aiops_lab.respond.slices import find_slices as find_slices
    from aiops_lab.respond.triage import Triage as Triage
    from aiops_lab.respond.triage import triage as triage
    from aiops_lab.result import Result as Result
    from aiops_lab.ship.compare import Comparison as Comparison
    from aiops_lab.ship.compare import compare_runs as compare_runs
    from aiops_lab.ship.formats import format_spread as format_spread
    from aiops_lab.ship.gate import Gate as Gate
    from aiops_lab.ship.gate import release_gate as release_gate
    from aiops_lab.ship.iterate import prompt_loop as prompt_loop
    from aiops_lab.ship.plan import plan_gate as plan_gate
    from aiops_lab.ship.rank import rank_runs as rank_runs
    from aiops_lab.ship.retrieval.drift import index_drift as index_drift
    from aiops_lab.ship.retrieval.editions import next_edition as next_edition
    from aiops_lab.ship.retrieval.experiment import run_retrieval as run_retrieval
    from aiops_lab.ship.retrieval.score import Retrieval as Retrieval
    from aiops_lab.ship.retrieval.score import score_retrieval as score_retrieval
    from aiops_lab.ship.retrieval.traced import traced_hits as traced_hits
    from aiops_lab.ship.retrieval.writer import retriever_or_writer as retriever_or_writer
    from aiops_lab.target.budget import Budget as Budget
    from aiops_lab.target.budget import error_budget as error_budget
    from aiops_lab.target.cost import ChangeCost as ChangeCost
    from aiops_lab.target.cost import change_cost as change_cost
    from aiops_lab.traffic.summaries import summarise as summarise
    from aiops_lab.verdict import Evidence as Evidence
    from aiops_lab.verdict import Verdict as Verdict
    from aiops_lab.verdict import together as together
    from aiops_lab.watch.behaviour import Behaviour as Behaviour
    from aiops_lab.watch.behaviour import watch_behaviour as watch_behaviour
    from aiops_lab.watch.changes import git_changes as git_changes
    from aiops_lab.watch.judged_days import judged_days as judged_days
    from aiops_lab.watch.routing.attributions import attribute_decisions as attribute_decisions
    from aiops_lab.watch.routing.attributions import mean_attributions as mean_attributions
    from aiops_lab.watch.routing.demo import demo_router as demo_router
    from aiops_lab.watch.routing.find import RoutingShifts as RoutingShifts
    from aiops_lab.watch.routing.find import find_routing_shifts as find_routing_shifts
    from aiops_lab.watch.routing.monitor import DecisionShifts as DecisionShifts
    from aiops_lab.watch.routing.monitor import watch_decisions as watch_decisions
    from aiops_lab.watch.routing.one import explain_decision as explain_decision
    from aiops_lab.watch.shifts import Shifts as Shifts
    from aiops_lab.watch.shifts import detect_shifts as detect_shifts
    from aiops_lab.watch.signals import score_and_users as score_and_users
    from aiops_lab.watch.texts import changed_texts as changed_texts

__version__ = "0.1.0"
_HOMES = {
    name: module
    for module, names in {
        "errors": "LabError",
        "guard.gate": "attack_gate",
        "guard.review": "SecurityReview security_review",
        "ingest": "Ingest",
        "lab": "Lab demo_lab open_lab",
        "measures": "measure repair_json repair_yaml",
        "measures.leaks": "find_canaries",
        "measures.learned": "learn_refusals",
        "measures.support": "lexical_support",
        "respond.slices": "find_slices",
        "respond.triage": "Triage triage",
        "result": "Result",
        "ship.compare": "Comparison compare_runs",
        "ship.formats": "format_spread",
        "ship.gate": "Gate release_gate",
        "ship.iterate": "prompt_loop",
        "ship.plan": "plan_gate",
        "ship.rank": "rank_runs",
        "ship.retrieval.drift": "index_drift",
        "ship.retrieval.editions": "next_edition",
        "ship.retrieval.experiment": "run_retrieval",
        "ship.retrieval.score": "Retrieval score_retrieval",
        "ship.retrieval.traced": "traced_hits",
        "ship.retrieval.writer": "retriever_or_writer",
        "target.budget": "Budget error_budget",
        "target.cost": "ChangeCost change_cost",
        "traffic.summaries": "summarise",
        "verdict": "Evidence Verdict together",
        "watch.behaviour": "Behaviour watch_behaviour",
        "watch.changes": "git_changes",
        "watch.judged_days": "judged_days",
        "watch.routing.attributions": "attribute_decisions mean_attributions",
        "watch.routing.demo": "demo_router",
        "watch.routing.find": "RoutingShifts find_routing_shifts",
        "watch.routing.monitor": "DecisionShifts watch_decisions",
        "watch.routing.one": "explain_decision",
        "watch.shifts": "Shifts detect_shifts",
        "watch.signals": "score_and_users",
        "watch.texts": "changed_texts",
    }.items()
    for name in names.split()
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import the home of a public name when it is first used (PEP 562)."""
    if name == "charts":
        return import_module("aiops_lab.charts")
    if name not in _HOMES:
        raise AttributeError(f"aiops_lab has no {name!r}")
    return getattr(import_module(f"aiops_lab.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "charts", "__version__"])
