"""kantor computes economic plans and certifies them: gross outputs, plans, prices, rents, bounds.

Public names are imported when first used (PEP 562), so that ``import kantor`` and ``kantor --help`` stay quick.

>>> import kantor as kt
>>> kt.Status.OPTIMAL.value
'optimal'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors as errors
    from .analysis.contents import contents as contents
    from .analysis.decomposition import decompose as decompose
    from .analysis.expected import expected_targets as expected_targets
    from .analysis.extraction import extraction as extraction
    from .analysis.extraction import extraction_ranking as extraction_ranking
    from .analysis.footprints import footprints as footprints
    from .analysis.multipliers import linkages as linkages
    from .analysis.multipliers import multipliers as multipliers
    from .analysis.paths import structural_paths as structural_paths
    from .analysis.price_model import price_model as price_model
    from .analysis.production_prices import production_prices as production_prices
    from .analysis.shards import solve_leontief_shards as solve_leontief_shards
    from .analysis.shards import solve_lp_shards as solve_lp_shards
    from .analysis.shards import verify_lp_shards as verify_lp_shards
    from .backends.world import distributed as distributed
    from .config import show_config as show_config
    from .data.balancing.supply_use import balance_supply_use as balance_supply_use
    from .data.balancing.table import Subtotal as Subtotal
    from .data.balancing.table import balance_table as balance_table
    from .data.datasets import load_economy as load_economy
    from .data.economy import Economy as Economy
    from .data.forms import read_economy as read_economy
    from .data.forms import write_economy as write_economy
    from .data.forms.template import template as template
    from .data.generators import expand as expand
    from .data.model_files import write_lp as write_lp
    from .data.model_files import write_mps as write_mps
    from .data.power_law import power_law as power_law
    from .data.technique_choice import technique_choice as technique_choice
    from .feedback.change import Change as Change
    from .feedback.change import read_change as read_change
    from .feedback.log import Log as Log
    from .feedback.log import verify_log as verify_log
    from .feedback.monitor.monitor import Monitor as Monitor
    from .feedback.monitor.monitor import MonitorOptions as MonitorOptions
    from .feedback.monitor.stream import read_reports as read_reports
    from .feedback.replan import Replanner as Replanner
    from .feedback.shock import shock as shock
    from .feedback.stability import Stability as Stability
    from .modelling.capital import Capital as Capital
    from .modelling.capital import Storage as Storage
    from .modelling.horizon import Horizon as Horizon
    from .modelling.regions import regions_of as regions_of
    from .modelling.timeline import over_years as over_years
    from .modelling.trade import Trade as Trade
    from .modelling.trade import join_regions as join_regions
    from .planning.combined import LeastChange as LeastChange
    from .planning.combined import Lexicographic as Lexicographic
    from .planning.combined import WeightedSum as WeightedSum
    from .planning.compare import compare_plans as compare_plans
    from .planning.folder import load_plan as load_plan
    from .planning.frontier import frontier as frontier
    from .planning.limits import Limit as Limit
    from .planning.objectives import Harmony as Harmony
    from .planning.objectives import LogUtility as LogUtility
    from .planning.objectives import Maximise as Maximise
    from .planning.objectives import MaxScale as MaxScale
    from .planning.objectives import MinimiseUse as MinimiseUse
    from .planning.objectives import NewHarmony as NewHarmony
    from .planning.objectives import PowerUtility as PowerUtility
    from .planning.plan import Plan as Plan
    from .planning.sweep import sweep as sweep
    from .planning.user_utility import UserUtility as UserUtility
    from .planning.verify import verify_plan as verify_plan
    from .solvers.leontief import solve_leontief as solve_leontief
    from .solvers.leontief import values as values
    from .solvers.lp import solve_lp as solve_lp
    from .solvers.mps import read_mps as read_mps
    from .solvers.problem import LinearProgram as LinearProgram
    from .solvers.problem import SeparableTerms as SeparableTerms
    from .solvers.problem import TermKind as TermKind
    from .solvers.productive import check_productive as check_productive
    from .solvers.solution import Solution as Solution
    from .solvers.solution import Status as Status
    from .solvers.verify import verify_lp as verify_lp

    __version__: str

# Public name -> module that defines it; a test holds this table and the imports above to each other.
_HOME = {
    "Capital": "modelling.capital",
    "Change": "feedback.change",
    "expected_targets": "analysis.expected",
    "Log": "feedback.log",
    "Monitor": "feedback.monitor.monitor",
    "MonitorOptions": "feedback.monitor.monitor",
    "read_reports": "feedback.monitor.stream",
    "Replanner": "feedback.replan",
    "shock": "feedback.shock",
    "Stability": "feedback.stability",
    "read_change": "feedback.change",
    "verify_log": "feedback.log",
    "Storage": "modelling.capital",
    "Horizon": "modelling.horizon",
    "over_years": "modelling.timeline",
    "Trade": "modelling.trade",
    "join_regions": "modelling.trade",
    "regions_of": "modelling.regions",
    "Economy": "data.economy",
    "Harmony": "planning.objectives",
    "Limit": "planning.limits",
    "LinearProgram": "solvers.problem",
    "LogUtility": "planning.objectives",
    "LeastChange": "planning.combined",
    "Lexicographic": "planning.combined",
    "WeightedSum": "planning.combined",
    "frontier": "planning.frontier",
    "Maximise": "planning.objectives",
    "NewHarmony": "planning.objectives",
    "MaxScale": "planning.objectives",
    "MinimiseUse": "planning.objectives",
    "Plan": "planning.plan",
    "PowerUtility": "planning.objectives",
    "UserUtility": "planning.user_utility",
    "SeparableTerms": "solvers.problem",
    "Solution": "solvers.solution",
    "Status": "solvers.solution",
    "Subtotal": "data.balancing.table",
    "TermKind": "solvers.problem",
    "balance_supply_use": "data.balancing.supply_use",
    "balance_table": "data.balancing.table",
    "check_productive": "solvers.productive",
    "compare_plans": "planning.compare",
    "contents": "analysis.contents",
    "decompose": "analysis.decomposition",
    "distributed": "backends.world",
    "expand": "data.generators",
    "extraction": "analysis.extraction",
    "extraction_ranking": "analysis.extraction",
    "footprints": "analysis.footprints",
    "linkages": "analysis.multipliers",
    "load_economy": "data.datasets",
    "load_plan": "planning.folder",
    "multipliers": "analysis.multipliers",
    "power_law": "data.power_law",
    "price_model": "analysis.price_model",
    "production_prices": "analysis.production_prices",
    "read_economy": "data.forms",
    "read_mps": "solvers.mps",
    "show_config": "config",
    "solve_leontief": "solvers.leontief",
    "solve_leontief_shards": "analysis.shards",
    "solve_lp_shards": "analysis.shards",
    "solve_lp": "solvers.lp",
    "technique_choice": "data.technique_choice",
    "template": "data.forms.template",
    "write_economy": "data.forms",
    "write_lp": "data.model_files",
    "write_mps": "data.model_files",
    "structural_paths": "analysis.paths",
    "sweep": "planning.sweep",
    "values": "solvers.leontief",
    "verify_lp": "solvers.verify",
    "verify_lp_shards": "analysis.shards",
    "verify_plan": "planning.verify",
}

__all__ = [*sorted(_HOME), "__version__", "errors"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name == "errors":
        value = importlib.import_module(f"{__name__}.errors")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


def _version() -> str:
    """The installed version; pyproject.toml holds the only version number."""
    from importlib import metadata

    try:
        return metadata.version(__name__)
    except metadata.PackageNotFoundError:
        return "0+uninstalled"  # imported from a source tree that was never installed
