"""A storage that was moved as a whole: some of what was imported from it is looked for before its row says so."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from hierarchy import manifests
from hierarchy.errors import Refused
from hierarchy.manifests import InPlace
from hierarchy.models import FileVersion
from importer.core.checks import WRONG, CheckState
from importer.core.names import BETWEEN
from importer.models import CheckedRoot, Known
from importer.pipeline.sights import References, RootAway, Stored, print_of
from storages.deadline import within
from storages.health import config_of
from storages.models import ExternalStorage
from storages.secrets import KeyMissing
from storages.stores import StoreConfig, StoreError, store_for

# Versions and source files that are looked for, and of a series so many of its files.
SAMPLE = 50
OF_A_SERIES = 10
PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Moved:
    """What was found there: how many were looked for and, where the place answered, what it is."""

    looked_for: int = 0
    identity: str = ""
    token: str = ""

    @property
    def words(self) -> str:
        return f"; {self.looked_for:,} of its files were looked for and are there as they were" if self.identity else ""


def looked_into(storage: ExternalStorage, bucket: str) -> Moved:
    """Of the place that the storage would be from now on. Raises Refused where something is not as it was.

    Of a storage that nothing was imported from there is nothing to look for.
    """
    wanted = _sample(storage)
    if not wanted:
        return Moved()
    try:
        # The row as it would be; it is not saved here.
        storage = ExternalStorage.objects.get(pk=storage.pk)
        storage.bucket = bucket
        config = config_of(storage)
        return within(PATIENCE, lambda: _looked(config, wanted), about=("moved", config))
    except (KeyMissing, StoreError, RootAway) as error:
        raise Refused(f"Nothing was changed, since the new place cannot be looked into. {error}") from error


def _looked(config: StoreConfig, wanted: Sequence[Stored]) -> Moved:
    seen, identity = print_of(config), store_for(config).identity()
    sight = References(config, seen)
    found = [sight.look(one) for one in wanted]
    wrong = [(one, what) for one, what in zip(wanted, found, strict=True) if what.state != CheckState.OK]
    if wrong:
        first, what = wrong[0]
        raise Refused(
            f"Nothing was changed: of {len(wanted):,} files of this storage that were looked for there, {len(wrong):,} "
            f"are not as they were (the first: {first.path}, {what.state}. {what.words}) Copy everything with its "
            "times (rsync -a), then say so again."
        )
    return Moved(len(wanted), identity, seen)


def _sample(storage: ExternalStorage) -> list[Stored]:
    """Version ids are random, so the first by id are a sample; what was wrong before proves nothing."""
    versions = FileVersion.objects.filter(storage=storage).exclude(check_row__state__in=sorted(WRONG))
    referred = versions.select_related("file", "manifest").order_by("pk")[:SAMPLE]
    known = Known.objects.filter(storage=storage, gone=None).exclude(Q(path__contains=BETWEEN) | Q(path__endswith="/"))
    rows = [_of_version(version) for version in referred]
    return rows or [_of_known(one) for one in known.order_by("path_key")[:SAMPLE]]


def _of_version(version: FileVersion) -> Stored:
    kept = getattr(version, "manifest", None)
    if kept is None:
        whole = InPlace(version.file.name, version.size, "", version.path, version.mtime_ns, version.etag)
        return Stored(0, "", version.path, version.size, members=(whole,))
    members = tuple(manifests.from_lines(kept.lines))
    step = max(1, len(members) // OF_A_SERIES)
    return Stored(0, "", version.path, version.size, members=members[::step])


def _of_known(known: Known) -> Stored:
    return Stored(
        0, "", known.path, known.size,
        members=(InPlace("", known.size, "", known.path, known.mtime_ns, known.etag),),
    )  # fmt: skip


def settle_in(storage: ExternalStorage, moved: Moved) -> None:
    """From now on it is known by what was found there; with the same transaction as the new address."""
    if moved.identity:
        ExternalStorage.objects.filter(pk=storage.pk).update(identity=moved.identity)
    CheckedRoot.objects.filter(storage=storage).update(token=moved.token, away_since=None, words="")
