"""Templates: text with fields in braces, written out for one file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """A template, as it was written."""

    text: str
