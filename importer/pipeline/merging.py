"""What all chunks found out about a Placement, merged in source order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from importer.core.series import Said, merge
from importer.models import Contribution, Placement
from importer.pipeline.chunks import unpacked


@dataclass(frozen=True, slots=True)
class Sum:
    """All contributions to one Placement. `folders` are those that its files lie in, relative to the source's root."""

    said: Said
    first_seq: int
    count: int
    bytes: int
    folders: tuple[str, ...]


def sums(page: Sequence[Placement]) -> dict[int, Sum]:
    """By the Placement's id. Each has a contribution."""
    of: dict[int, list[tuple[int, dict[str, Any]]]] = {placement.pk: [] for placement in page}
    rows = Contribution.objects.filter(placement__in=page).order_by("first_seq")
    for placement_id, first_seq, said in rows.values_list("placement_id", "first_seq", "said"):
        of[placement_id].append((first_seq, unpacked(said)))
    return {pk: _sum(parts) for pk, parts in of.items()}


def _sum(parts: list[tuple[int, dict[str, Any]]]) -> Sum:
    return Sum(
        said=merge([Said.from_json(part["said"]) for _, part in parts]),
        first_seq=parts[0][0],
        count=sum(part["count"] for _, part in parts),
        bytes=sum(part["bytes"] for _, part in parts),
        folders=tuple(sorted({folder for _, part in parts for folder in part["folders"]})),
    )
