"""The order that people expect of names with numbers in them: `2 - T1w` before `10 - T2w`."""

import re

# Bounded: a hostile name must not cost the conversion of a huge number.
_DIGITS = re.compile(r"(\d{1,30})", re.ASCII)


def natural(name: str) -> list[tuple[int, str]]:
    """A key for sorting: runs of digits count as numbers."""
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(_DIGITS.split(name))]
