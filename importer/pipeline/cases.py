"""One decision on its way to its effect."""

from dataclasses import dataclass

from importer.core.methods import Order
from importer.models import Conflict, Decision, Placement
from importer.pipeline.packing import Packed


@dataclass(slots=True)
class Case:
    """`error` says why it cannot be carried out; `packed` are its bytes, published under the decision's name."""

    decision: Decision
    order: Order
    packed: Packed | None = None
    error: str = ""

    @property
    def conflict(self) -> Conflict:
        return self.decision.conflict

    @property
    def placement(self) -> Placement:
        return self.decision.conflict.placement
