"""`_1`, `_2`, …: how the incoming one is told from what stands there."""

from collections.abc import Callable
from itertools import count

from importer.core.labels import split_extension

MOST_LABEL = 64
MOST_NAME = 255


def suffixed_label(label: str, number: int) -> str:
    """Cut so that the suffix always fits into 64 characters."""
    suffix = f"_{number}"
    return label[: MOST_LABEL - len(suffix)] + suffix


def suffixed_name(name: str, number: int) -> str:
    """Before the extension; `.dicom.zip` counts as one."""
    stem, extension = split_extension(name)
    suffix = f"_{number}"
    return stem[: MOST_NAME - len(suffix) - len(extension)] + suffix + extension


def free_name(name: str, taken: Callable[[str], bool], *, suffix: Callable[[str, int], str]) -> str:
    """The first of `name_1`, `name_2`, … that nobody has."""
    return next(tried for number in count(1) if not taken(tried := suffix(name, number)))
