"""Filters: `<field><operator><value>` on what is known of a file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, as it was written."""

    text: str
