"""One page of a list, and the addresses of the next one and of the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

PAGE = 50
_LARGEST = 2**63 - 1

Row = TypeVar("Row")
Stored = TypeVar("Stored", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """An empty address means that there is nowhere to go. `step` is how many the next page holds at most."""

    rows: Sequence[Row]
    next_url: str
    first_url: str
    step: int = PAGE


def number(request: HttpRequest, name: str) -> int | None:
    """A whole number from the address; anything else counts as not given."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:19]), _LARGEST)


def words(request: HttpRequest, name: str = "q") -> str:
    """What somebody searches for; databases refuse NUL."""
    return request.GET.get(name, "").replace("\0", "").strip()


def keyset(
    request: HttpRequest,
    rows: QuerySet[Stored],
    *,
    by: Sequence[str],
    key: str = "after",
    ident: str = "pk",
    step: int = PAGE,
) -> Page[Stored]:
    """The rows behind the one whose `ident`, a number, the address gives; `by` is the order (`-`: falling) and unique.

    As cheap on the last page as on the first, and the address holds no label.
    """
    found = rows.order_by(*by)
    after = _values(rows, by, ident=ident, value=number(request, key))
    shown = list((found.filter(_behind(by, after)) if after else found)[: step + 1])
    last = getattr(shown[step - 1], ident) if len(shown) > step else None
    return Page(
        rows=shown[:step],
        next_url="" if last is None else address(request, key, str(last)),
        first_url=address(request, key, None) if after else "",
        step=step,
    )


def sliced(request: HttpRequest, rows: Sequence[Row], *, key: str, step: int = PAGE) -> Page[Row]:
    """A page of what is whole in memory and never changes, by its place."""
    start = min(number(request, key) or 0, len(rows))
    end = start + step
    return Page(
        rows=rows[start:end],
        next_url=address(request, key, str(end)) if end < len(rows) else "",
        first_url=address(request, key, None) if start else "",
        step=step,
    )


def address(request: HttpRequest, key: str, value: str | None) -> str:
    """This page's address with one parameter changed or taken away."""
    chosen = request.GET.copy()
    chosen.pop(key, None)
    if value is not None:
        chosen[key] = value
    return f"{request.path}?{chosen.urlencode()}" if chosen else request.path


def _values(rows: QuerySet[Any], by: Sequence[str], *, ident: str, value: int | None) -> tuple[Any, ...] | None:
    names = [name.removeprefix("-") for name in by]
    return None if value is None else rows.filter(**{ident: value}).order_by().values_list(*names).first()


def _behind(by: Sequence[str], values: Sequence[Any]) -> Q:
    found, equal = Q(), Q()
    for name, value in zip(by, values, strict=True):
        beyond = f"{name[1:]}__lt" if name.startswith("-") else f"{name}__gt"
        found |= equal & Q(**{beyond: value})
        equal &= Q(**{name.removeprefix("-"): value})
    return found
