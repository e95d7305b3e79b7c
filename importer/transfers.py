"""How the bytes of an import travel: the table of `importer.core.transfer_rules`, asked about a real source.

And the folder that somebody declares to be a place that may be the only home of bytes.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from hierarchy.errors import Refused
from hierarchy.models import FileVersion
from importer import storage_providers, storage_services
from importer.core.names import printable, raw
from importer.core.rules.model import RuleSet
from importer.core.states import SourceKind
from importer.core.transfer_rules import (
    STAYS,
    DeleteSource,
    Settled,
    Source,
    Transfer,
    TransferRefused,
    Wish,
    Zip,
    settle,
)
from importer.local_sources import checked_source
from importer.storage_address import Address, inside
from importer.storage_providers import PROVIDER_WARNING, NewProvider, NotAcknowledged
from importer.storage_queries import usable
from importer.storage_services import NewStorage, address_of
from storages.models import LABEL_LENGTH, ExternalStorage, StorageProvider
from storages.places import archive
from storages.stores import Kind

DECLARE = (
    "A folder that files are to stay in is declared a storage provider first: an admin of the site does so on the "
    "page of providers, or with import_folder --transfer reference --acknowledge."
)


def settled(
    transfer: Transfer, delete_source: DeleteSource, *, rules: RuleSet, kind: SourceKind, address: Address,
    storage: ExternalStorage | None,
) -> Settled:  # fmt: skip
    """What is done. `address` is where the source lies. Raises Refused with a sentence that says what to choose."""
    if transfer == Transfer.SYMLINK and archive().folder is None:
        raise Refused("A symbolic link needs an archive in a folder of this machine: choose reference.")
    if transfer in STAYS and storage is None and kind == SourceKind.FOLDER:
        raise Refused(DECLARE)
    if transfer == Transfer.AUTO and storage is None:
        # By itself only what is imported from a storage stays where it lies.
        transfer = Transfer.COPY
    on_provider = _lies_on_provider(address) if storage is None else storage.provider_id is not None
    source = Source(
        kind=kind,
        local=address.kind == Kind.LOCAL,
        same_device=_same_device(address),
        on_provider=on_provider,
        is_home=_is_home(address),
    )
    wish = Wish(transfer=transfer, delete_source=delete_source, zip=_zip(transfer, rules))
    try:
        return settle(wish, source)
    except TransferRefused as error:
        raise Refused(str(error)) from error


def folder_at(root: bytes) -> Address:
    return Address(kind=Kind.LOCAL, bucket=printable(root))


def _zip(transfer: Transfer, rules: RuleSet) -> Zip:
    """Where nobody asked for anything, each rule has its own way: what one packs is copied, the rest is not."""
    if transfer == Transfer.AUTO:
        return Zip.DEFAULT
    if any(rule.zip for rule in rules.rules):
        return Zip.SAID
    return Zip.DEFAULT if any(rule.zips for rule in rules.rules) else Zip.OFF


def _same_device(address: Address) -> bool:
    """A place that nobody has written to yet is made where its nearest folder is."""
    at = archive().folder
    if at is None or address.kind != Kind.LOCAL:
        return False
    while not at.exists():
        at = at.parent
    folder = os.path.join(raw(address.bucket), raw(address.prefix))
    return os.stat(folder).st_dev == at.stat().st_dev


def _lies_on_provider(address: Address) -> bool:
    rows = StorageProvider.objects.filter(kind=address.kind)
    return any(inside(address, address_of(row)) or inside(address_of(row), address) for row in rows)


def _is_home(address: Address) -> bool:
    """Whether something was imported by reference from a place that has files in common with this one."""
    homes = FileVersion.objects.filter(reference=True, storage__kind=address.kind).values("storage")
    rows = ExternalStorage.objects.filter(pk__in=homes)
    return any(inside(address, address_of(row)) or inside(address_of(row), address) for row in rows)


@dataclass(frozen=True, slots=True)
class Declared:
    """A storage on a provider, and the folder in it as a prefix of its keys; empty where it is the folder itself."""

    storage: ExternalStorage
    prefix: str


def declared_folder(path: bytes, *, acknowledged: bool, actor: User | None, who: str, now: datetime) -> Declared:
    """The folder as a place that files may stay in; made so where it is not, by an admin of the site who has
    `acknowledged` what that means. Raises NotAllowed, NotAcknowledged with the warning, or Refused."""
    root = checked_source(path)
    with transaction.atomic():
        found = _known(root, actor) or Declared(_made(root, acknowledged, actor=actor, who=who, now=now), "")
        if acknowledged:
            storage_providers.acknowledge(found.storage.pk, actor=actor, who=who, now=now)
    return found


def _known(root: bytes, actor: User | None) -> Declared | None:
    """The nearest storage on a provider that the folder lies in."""
    near: list[tuple[int, Declared]] = []
    for row in usable(actor).filter(kind=Kind.LOCAL, provider__isnull=False, enabled=True):
        base = os.path.join(raw(row.bucket), raw(row.prefix)) if row.prefix else raw(row.bucket)
        if Path(os.fsdecode(root)).is_relative_to(os.fsdecode(base)):
            rest = os.path.relpath(root, base)
            near.append((len(base), Declared(row, "" if rest == b"." else f"{printable(rest)}/")))
    return max(near, key=lambda one: one[0])[1] if near else None


def _made(root: bytes, acknowledged: bool, *, actor: User | None, who: str, now: datetime) -> ExternalStorage:  # noqa: FBT001
    storage_services.guard(actor)
    if not acknowledged:
        raise NotAcknowledged(f"{PROVIDER_WARNING} Say --acknowledge if that is so.")
    address = folder_at(root)
    around = [row for row in StorageProvider.objects.filter(kind=Kind.LOCAL) if inside(address, address_of(row))]
    provider = around[0] if around else None
    if provider is None:
        label = _free_label(root, StorageProvider.objects.values_list("label", flat=True).iterator())
        new = NewProvider(label=label, address=address, acknowledged=True)
        provider = storage_providers.create(new, actor=actor, who=who, now=now)
    label = _free_label(root, ExternalStorage.objects.values_list("label", flat=True).iterator())
    return storage_services.create(
        NewStorage(label=label, address=address, provider=provider), actor=actor, who=who, now=now
    )


def _free_label(root: bytes, taken: Iterator[str]) -> str:
    """The folder's name as far as it can be a label, with a number where there is one of that name."""
    known = {label.casefold() for label in taken}
    name = re.sub(r"[^\w .()+-]", "-", os.path.basename(root).decode(errors="replace"))
    name = re.sub(r"^[\W_]+", "", name)[: LABEL_LENGTH - 8].strip() or "folder"
    name = f"folder {name}" if name.isdecimal() else name
    tried, number = name, 2
    while tried.casefold() in known:
        tried, number = f"{name} ({number})", number + 1
    return tried
