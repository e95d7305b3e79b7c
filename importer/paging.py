"""Addresses of the pages of a list, by the key of the last row shown."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from importer.page_queries import PAGE, Rows

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """One page; an empty address means that there is nowhere to go. `step` is how many the next page holds at most."""

    rows: list[Any]
    next_url: str
    first_url: str
    step: int = PAGE


def number(request: HttpRequest, name: str) -> int | None:
    """A whole number from the address; anything else counts as not given."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:19]), _LARGEST)


def paged(request: HttpRequest, rows: Rows[Any], *, key: str = "after") -> KeysetPage:
    """`key` is the parameter of the address that says where the page begins."""
    return KeysetPage(
        rows=rows.rows,
        next_url=_address(request, key, rows.next_after) if rows.next_after is not None else "",
        first_url=_address(request, key, None) if key in request.GET else "",
    )


def _address(request: HttpRequest, key: str, value: int | None) -> str:
    chosen = request.GET.copy()
    chosen.pop(key, None)
    if value is not None:
        chosen[key] = str(value)
    return f"{request.path}?{chosen.urlencode()}" if chosen else request.path
