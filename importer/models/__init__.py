"""Rows of the importer."""

from importer.models.chunk import Chunk, Contribution
from importer.models.conflict import Conflict
from importer.models.event import Event
from importer.models.item import Item, Placement
from importer.models.job import ImportJob
from importer.models.status import StaleTransition, move_to

__all__ = [
    "Chunk",
    "Conflict",
    "Contribution",
    "Event",
    "ImportJob",
    "Item",
    "Placement",
    "StaleTransition",
    "move_to",
]
