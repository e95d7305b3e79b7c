"""Places that may be the only home of bytes: made by who has read what that means, and used so by who has, too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from hierarchy.errors import Refused
from hierarchy.selectors import Actor
from importer.storage_address import Address, checked_address, checked_label
from importer.storage_queries import providers
from importer.storage_services import as_refusal, guard, note, usable_by
from storages.models import Access, ExternalStorage, StorageProvider

PROVIDER_WARNING = (
    "What is imported by reference from here is not copied: these files become the only home of the data. They have to "
    "stay as they are (immutable) and to stay at all (durable). A backup of this installation no longer holds "
    "everything: back up this place, too."
)
REFERENCE_WARNING = (
    "This import copies nothing. The archive will point to the files where they lie: who changes, moves or deletes "
    "them there, changes or loses what is shown here, and a backup of this installation does not hold them."
)


class NotAcknowledged(Refused):
    """The text is the warning that somebody has to read and to agree to first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProvider:
    label: str
    address: Address
    description: str = ""
    access: Access = Access.READ_ONLY
    acknowledged: bool = False


def create(new: NewProvider, *, actor: Actor, who: str, now: datetime) -> StorageProvider:
    """Raises NotAllowed, NotAcknowledged with the warning, or Refused with what is wrong."""
    guard(actor)
    label, address = checked_label(new.label), checked_address(new.address)
    if not new.acknowledged:
        raise NotAcknowledged(PROVIDER_WARNING)
    made = StorageProvider(
        label=label, description=new.description.strip(), kind=address.kind, bucket=address.bucket,
        prefix=address.prefix, endpoint=address.endpoint, account=address.account, access=new.access,
        acknowledged_by=who, acknowledged_at=now, created_at=now,
    )  # fmt: skip
    with transaction.atomic():
        _saved(made)
        note("provider made", who=who, now=now, detail=f"{label}: {made.address}", provider_id=made.pk)
    return made


def _saved(row: StorageProvider) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise as_refusal(error, row.label) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEdit:
    """None: stays as it is. Where it lies stays for ever: storages and references count on it."""

    label: str | None = None
    description: str | None = None
    access: Access | None = None


def update(provider_id: int, edit: ProviderEdit, *, actor: Actor, who: str, now: datetime) -> StorageProvider:
    """Raises NotAllowed or Refused."""
    kept = _kept(provider_id, actor)
    said: dict[str, Any] = {
        "label": None if edit.label is None else checked_label(edit.label),
        "description": None if edit.description is None else edit.description.strip(),
        "access": edit.access,
    }
    changes = {name: value for name, value in said.items() if value is not None and value != getattr(kept, name)}
    if changes:
        for name, value in changes.items():
            setattr(kept, name, value)
        with transaction.atomic():
            _saved(kept)
            note("provider changed", who=who, now=now, detail=", ".join(sorted(changes)), provider_id=kept.pk)
    return kept


def delete(provider_id: int, *, actor: Actor, who: str, now: datetime) -> None:
    """Nothing at the place itself is touched. Raises NotAllowed, or Refused while a storage stands on it."""
    kept = _kept(provider_id, actor)
    pk, label = kept.pk, kept.label
    try:
        with transaction.atomic():
            kept.delete()
            note("provider deleted", who=who, now=now, detail=f"{label}: {kept.address}", provider_id=pk)
    except ProtectedError as error:
        bound = ", ".join(sorted(str(row) for row in error.protected_objects)[:5])
        raise Refused(f"Storages stand on {label}: {bound}. Delete them first.") from error


def _kept(provider_id: int, actor: Actor) -> StorageProvider:
    kept = providers(actor).filter(pk=provider_id).first()
    if kept is None:
        raise Refused(f"There is no storage provider {provider_id}: look at the list of providers.")
    guard(actor)
    return kept


def warning_before_import(storage: ExternalStorage) -> str:
    """What has to be read and agreed to before the first import from it; empty where nothing has."""
    return REFERENCE_WARNING if storage.provider_id and not storage.acknowledged_by else ""


def require_acknowledged(storage: ExternalStorage) -> None:
    """For whoever starts an import. Raises NotAcknowledged with the warning."""
    warning = warning_before_import(storage)
    if warning:
        raise NotAcknowledged(warning)


def acknowledge(storage_id: int, *, actor: Actor, who: str, now: datetime) -> ExternalStorage:
    """Once per storage, by somebody who may import from it. Twice is once. Raises NotAllowed or Refused."""
    kept = usable_by(storage_id, actor)
    if kept.provider_id is None:
        raise Refused(f"{kept.label} stands on no provider: what is imported from it is copied.")
    rows = ExternalStorage.objects.filter(pk=kept.pk, acknowledged_by="")
    with transaction.atomic():
        if rows.update(acknowledged_by=who, acknowledged_at=now):
            note("references acknowledged", who=who, now=now, detail=kept.label, storage_id=kept.pk)
    kept.refresh_from_db()
    return kept
