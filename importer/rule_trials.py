"""Rules tried on samples: nothing is imported, nothing is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from django.conf import settings

from hierarchy.models import Project
from hierarchy.selectors import Actor
from importer.core.rules.model import RuleSet
from importer.core.rules.samples import Fact
from importer.core.rules.trials import Fate, Result, Row, every_row
from importer.rule_choice import Chosen, find_named, resolve, text_of
from importer.sampled import Looked

TAKEN = frozenset({Fate.TAKEN, Fate.BESIDE})


def rules_named(name: str, *, project: Project | None, actor: Actor) -> Chosen:
    """As an import into the project would choose them; without a project by the name alone. Raises Refused."""
    if project is not None:
        return resolve(project, name, actor=actor)
    row = find_named(actor, name)
    return Chosen(name=row.name, text=text_of(row))


def tried(rules: RuleSet, samples: Sequence[Fact]) -> Iterator[Row]:
    """What becomes of each, in their order; a time without a zone is of the installation's."""
    return every_row(rules, samples, zone=ZoneInfo(settings.TIME_ZONE))


def tried_files(rules: RuleSet, looked: Sequence[Looked]) -> Iterator[Row]:
    """What becomes of files that an import would find; the reason of those that it would not even ask about."""
    rows = tried(rules, [one.fact for one in looked if one.fact is not None])
    for number, one in enumerate(looked):
        if one.bad is None:
            yield replace(next(rows), number=number)
        else:
            fate = Fate.FAILED if one.bad.outcome == Fate.FAILED else Fate.SKIPPED
            yield Row(number=number, path=one.path, size=0, result=Result(fate=fate, said=one.bad.reason))


def as_json(row: Row) -> dict[str, object]:
    """`place` is the way down from the project, `member` the name in the archive there; `why` has a line for every
    rule that was asked."""
    result = row.result
    return {
        "path": row.path,
        "taken": result.fate in TAKEN,
        "result": result.fate.value,
        "place": list(result.place),
        "member": result.member,
        "reason": result.said,
        "rule": {"number": result.rule, "name": row.rule_name} if result.rule else None,
        "fields": dict(row.fields),
        "why": [{"number": one.number, "name": one.name, "taken": one.taken, "said": one.said} for one in row.why],
    }
