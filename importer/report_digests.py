"""The content digest of each source file whose bytes were read: from where the bytes became a version or a conflict."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from hierarchy.models import DigestOf, FileVersion, Manifest
from importer.core.manifest import from_lines
from importer.core.states import PACKED_KINDS, Outcome
from importer.models import Conflict, Item, Placement
from importer.pipeline.compare import member_name

# Parsed manifests kept from page to page: series lie one after the other in a source.
KEPT = 8

Asked = tuple[Item, Placement | None, str]
_READ = frozenset({Outcome.IMPORTED, Outcome.SKIPPED, Outcome.CONFLICT})


@dataclass(frozen=True, slots=True)
class Standing:
    """A version that a Placement became or met: `content` is its bytes' SHA-256, empty for an archive of members."""

    id: UUID
    size: int
    content: str


def standing(placements: Iterable[Placement]) -> dict[int, Standing]:
    """By Placement. One query."""
    wanted = {to.pk: to.version_id for to in placements if to.version_id is not None}
    rows = FileVersion.objects.filter(pk__in=set(wanted.values())).values_list("id", "size", "digest", "digest_of")
    found = {pk: Standing(pk, size, digest if of == DigestOf.CONTENT else "") for pk, size, digest, of in rows}
    return {placement: found[version] for placement, version in wanted.items() if version in found}


class Digests:
    """Reads each manifest once, as long as the source's order is kind, and never holds more than a few."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, dict[str, str]] = OrderedDict()

    def of(self, asked: Sequence[Asked], found: dict[int, Standing]) -> dict[int, str]:
        """By Item; what was never read is left out. Two queries, whatever was asked."""
        digests: dict[int, str] = {}
        stored: dict[UUID, list[tuple[int, str]]] = {}
        held: dict[Placement, list[tuple[int, str]]] = {}
        for item, to in _read(asked):
            version = found.get(to.pk)
            if to.outcome == Outcome.CONFLICT:
                held.setdefault(to, []).append((item.pk, member_name(to, item)))
            elif version is not None and to.kind in PACKED_KINDS:
                stored.setdefault(version.id, []).append((item.pk, member_name(to, item)))
            elif version is not None:
                digests[item.pk] = version.content
        digests.update(self._stored(stored))
        digests.update(self._held({to.pk: (to, items) for to, items in held.items()}))
        return digests

    def _stored(self, wanted: dict[UUID, list[tuple[int, str]]]) -> Iterator[tuple[int, str]]:
        unknown = [version for version in wanted if str(version) not in self._kept]
        for version in set(wanted) - set(unknown):
            yield from _named(self._kept[str(version)], wanted[version])
        rows = Manifest.objects.filter(version__in=unknown).values_list("version_id", "lines")
        for version, lines in rows.iterator(chunk_size=10) if unknown else ():
            yield from _named(self._parsed(str(version), lines), wanted[version])

    def _held(self, wanted: dict[int, tuple[Placement, list[tuple[int, str]]]]) -> Iterator[tuple[int, str]]:
        """Bytes in quarantine."""
        rows = Conflict.objects.filter(placement__in=wanted).values_list("placement_id", "digest", "manifest")
        for placement, digest, lines in rows.iterator(chunk_size=10) if wanted else ():
            to, items = wanted[placement]
            if to.kind not in PACKED_KINDS:
                yield from ((item, digest) for item, _ in items)
            elif lines:
                yield from _named(self._parsed(f"held {placement}", lines), items)

    def _parsed(self, key: str, lines: bytes | memoryview) -> dict[str, str]:
        members = self._kept.get(key) or {member.name: member.sha256 for member in from_lines(lines)}
        self._kept[key] = members
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return members


def _read(asked: Sequence[Asked]) -> Iterator[tuple[Item, Placement]]:
    """Those whose bytes are where their Placement says. What was held once and then skipped lies nowhere of its own:
    the version that it met has other content."""
    for item, to, status in asked:
        if to is not None and status in _READ and not (to.outcome == Outcome.SKIPPED and to.conflict_type):
            yield item, to


def _named(members: dict[str, str], items: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    return ((item, members[name]) for item, name in items if name in members)
