"""Mappings: `template=pattern`, from what is known of a file to the fields of its destination."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line, as it was written."""

    text: str
