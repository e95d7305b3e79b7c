"""Which parts of a plan a form ticks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.http import QueryDict

from hierarchy.errors import Refused
from importer.core.states import Level
from importer.models import ImportJob, Placement
from importer.plan_queries import DEPTHS, ROOT, SHOWN, PlanChoice, branch_at, matching, states_of
from importer.plans import Branch

ALL = "all"
FILE = "file"
# A page shows fifty of each of four levels; more than this was not made by it.
MOST = 2000


def part_of(job: ImportJob, key: str, choice: PlanChoice) -> Q:
    """`all`, `file:123`, or a branch; only what the filter shows of it. Raises Refused for what is not there."""
    if key == ALL:
        return matching(choice)
    level, _, pk = key.partition(":")
    if level == FILE and pk.isascii() and pk.isdecimal():
        return Q(pk=int(pk[:18]))
    branch = branch_at(job, key)
    if branch is None:
        raise Refused("This part of the plan is not there any more: look at the plan again.")
    return branch.rows() & matching(choice)


@dataclass(frozen=True, slots=True)
class Ticks:
    """`shown` are keys with the state that the page gave them (`on`, `off`, `part`); `on` the ticked ones.

    `single` is the one key that a script tells about, empty without one.
    """

    shown: Sequence[tuple[str, str]]
    on: frozenset[str]
    single: str
    choice: PlanChoice

    @classmethod
    def of(cls, said: QueryDict) -> "Ticks":
        show = said.get("show", "")
        shown = [(key, state) for key, _, state in (one.rpartition(" ") for one in said.getlist("shown")[:MOST])]
        words = said.get("q", "").replace("\0", "").strip()
        choice = PlanChoice(show=show if show in SHOWN else "", words=words)
        return cls(shown, frozenset(said.getlist("on")[:MOST]), said.get("key", ""), choice)

    @property
    def single_on(self) -> bool:
        return self.single in self.on

    def changes(self) -> Iterator[tuple[str, bool]]:
        """What is no longer as it was shown; of what is partly chosen an empty box changes nothing."""
        if self.single:
            yield self.single, self.single_on
            return
        for key, was in self.shown:
            ticked = key in self.on
            if ticked != (was == "on") and not (was == "part" and not ticked):
                yield key, ticked

    def above(self, job: ImportJob) -> list[str]:
        """What is chosen now of each container above, the nearest first; the whole plan last."""
        return states_of(job, self.choice, [*_above(job, self.single), ROOT])


def _above(job: ImportJob, key: str) -> list[Branch]:
    level, _, pk = key.partition(":")
    if key == ALL or not pk.isdecimal():
        return []
    row = Placement.objects.filter(job=job, pk=int(pk[:18])).first()
    if row is None or (level == FILE and row.level == Level.PROJECT):
        return []
    labels = (row.subject_label, row.session_label, row.acquisition_label)
    depth = DEPTHS.index(Level(row.level)) + 1 if level == FILE else DEPTHS.index(Level(level))
    return [Branch(DEPTHS[index - 1], *labels[:index]) for index in range(depth, 0, -1)]
