"""Rows of the importer."""

from importer.models.check import Check, CheckedRoot
from importer.models.chunk import Chunk, Contribution
from importer.models.conflict import Conflict
from importer.models.decision import Alias, Decision, Resolution, StandingRule
from importer.models.event import Event
from importer.models.item import Item, Placement
from importer.models.job import ImportJob
from importer.models.known import Became, Known
from importer.models.rules import RuleSample, RuleSet, RuleSetVersion
from importer.models.schedule import ImportSchedule
from importer.models.status import StaleTransition, move_all, move_to

__all__ = [
    "Alias",
    "Became",
    "Check",
    "CheckedRoot",
    "Chunk",
    "Conflict",
    "Contribution",
    "Decision",
    "Event",
    "ImportJob",
    "ImportSchedule",
    "Item",
    "Known",
    "Placement",
    "Resolution",
    "RuleSample",
    "RuleSet",
    "RuleSetVersion",
    "StaleTransition",
    "StandingRule",
    "move_all",
    "move_to",
]
