"""Walking rows without a cursor: every page is a query of its own, so a killed run goes on at the next one."""

from collections.abc import Iterator

from django.db.models import QuerySet

from importer.models import Placement

PAGE = 500


def in_pages(rows: "QuerySet[Placement]", *, size: int = PAGE) -> Iterator[list[Placement]]:
    """By primary key. Rows that change on the way may leave the filter, never come twice."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:size]):
        yield page
        last = page[-1].pk


def in_order(rows: "QuerySet[Placement]", *, size: int = PAGE) -> Iterator[list[Placement]]:
    """By first source path: the fixed order in which Placements of one job get their places."""
    last = -1
    while page := list(rows.filter(first_seq__gt=last).order_by("first_seq")[:size]):
        yield page
        last = page[-1].first_seq
