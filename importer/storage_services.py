"""What people may do with storages and providers. Permission is asked here, so every door has the same guard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Group, Project
from hierarchy.selectors import Actor
from importer.models import Event
from importer.moving import looked_into, settle_in
from importer.storage_address import (
    Address,
    checked_address,
    checked_credentials,
    checked_endpoint,
    checked_label,
    checked_region,
    inside,
)
from importer.storage_queries import may_manage, usable, visible
from storages.deadline import within
from storages.health import check_storage, config_of
from storages.models import Direction, ExternalStorage, Health, StorageCheck, StorageProvider
from storages.secrets import KeyMissing, Secret, require_key, resealed
from storages.stores import Kind, Level, StoreError, store_for

# Seconds for one level of a tree.
PATIENCE = 25
LEVEL = 200
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How a store lets us in: by credentials, by the machine's own identity, or, with neither, like anybody."""

    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    from_machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """With neither group nor project it is the site's."""

    group: Group | None = None
    project: Project | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStorage:
    label: str
    address: Address
    sign_in: SignIn = field(default_factory=SignIn)
    description: str = ""
    direction: Direction = Direction.IMPORT
    scope: Scope = field(default_factory=Scope)
    provider: StorageProvider | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEdit:
    """None: stays as it is. Kind, bucket, prefix, account and provider stay for ever."""

    label: str | None = None
    description: str | None = None
    endpoint: str | None = None
    region: str | None = None
    direction: Direction | None = None
    scope: Scope | None = None
    enabled: bool | None = None
    sign_in: SignIn | None = None


def create(new: NewStorage, *, actor: Actor, who: str, now: datetime) -> ExternalStorage:
    """Kept, and due for its first check. Raises NotAllowed, or Refused with what is wrong."""
    guard(actor)
    label, address = checked_label(new.label), checked_address(new.address)
    sealed = _sign_in(address, new.sign_in, now=now)
    if new.provider is not None:
        check_on(new.provider, address)
    with transaction.atomic():
        made = _saved(
            ExternalStorage(
                label=label, description=new.description.strip(), kind=address.kind, bucket=address.bucket,
                prefix=address.prefix, endpoint=address.endpoint, region=address.region, account=address.account,
                direction=new.direction, group=new.scope.group, project=new.scope.project, provider=new.provider,
                created_at=now, next_check_at=now, **sealed,
            )
        )  # fmt: skip
        _about(made, "storage made", who=who, now=now, detail=f"{label}: {made.address}")
    return made


def guard(actor: Actor) -> None:
    if not may_manage(actor):
        raise NotAllowed("Only an admin of the site makes, changes or deletes storages: ask one.")


def _sign_in(address: Address, said: SignIn, *, now: datetime) -> dict[str, Any]:
    """The fields of the row. Raises Refused."""
    if said.from_machine and any(said.credentials.values()):
        raise Refused("Either the machine's own identity, or credentials: leave one out.")
    if said.from_machine and address.kind == Kind.LOCAL:
        raise Refused("A local folder is read as the user that this runs as: there is nothing to sign in to.")
    secret = checked_credentials(address.kind, said.credentials, account=address.account, endpoint=address.endpoint)
    if address.kind == Kind.AZURE and not address.account and not secret.get("connection_string"):
        raise Refused("Say which storage account.")
    return {"from_machine": said.from_machine, **_sealed(secret, now=now)}


def _sealed(secret: Secret, *, now: datetime) -> dict[str, Any]:
    try:
        sealed = secret.sealed() if secret else None
    except KeyMissing as error:
        raise Refused(str(error)) from error
    return {"credentials": sealed, "credentials_at": now if sealed else None}


def check_on(provider: StorageProvider, address: Address) -> None:
    if not inside(address, address_of(provider)):
        raise Refused(
            f"This does not lie inside the provider {provider.label} ({provider.address}): choose a place inside it, "
            "or no provider."
        )


def address_of(row: ExternalStorage | StorageProvider) -> Address:
    return Address(
        kind=Kind(row.kind), bucket=row.bucket, prefix=row.prefix, endpoint=row.endpoint,
        region=getattr(row, "region", ""), account=row.account,
    )  # fmt: skip


def _saved(row: ExternalStorage) -> ExternalStorage:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise as_refusal(error, row.label) from error
    return row


def as_refusal(error: IntegrityError, label: str) -> Exception:
    """The one thing that two people can do at once: choose the same label."""
    if "label_once" in str(error):
        return Refused(f"There is one with the label {label} already: choose another.")
    return error


def update(storage_id: int, edit: StorageEdit, *, actor: Actor, who: str, now: datetime) -> ExternalStorage:
    """Only what is said changes. What the last check said no longer counts where it was about something else.

    Raises NotAllowed or Refused.
    """
    kept = kept_by(storage_id, actor)
    changes = _changes(kept, edit, now=now)
    if changes:
        with transaction.atomic():
            _apply(kept, changes)
            _about(kept, _what(changes), who=who, now=now, detail=", ".join(_said(changes)))
    return kept


CHECKED_AGAIN = frozenset({"endpoint", "region", "direction", "from_machine", "credentials", "enabled"})


def _changes(kept: ExternalStorage, edit: StorageEdit, *, now: datetime) -> dict[str, Any]:
    plain = {
        "label": None if edit.label is None else checked_label(edit.label),
        "description": None if edit.description is None else edit.description.strip(),
        "endpoint": None if edit.endpoint is None else _new_endpoint(kept, edit),
        "region": None if edit.region is None else checked_region(kept.kind, edit.region),
        "direction": edit.direction,
        "enabled": edit.enabled,
    }
    changes: dict[str, Any] = {
        name: value for name, value in plain.items() if value is not None and value != getattr(kept, name)
    }
    if edit.scope is not None and (edit.scope.group, edit.scope.project) != (kept.group, kept.project):
        changes |= {"group": edit.scope.group, "project": edit.scope.project}
    if edit.sign_in is not None:
        changes |= _new_sign_in(kept, edit.sign_in, changes.get("endpoint", kept.endpoint), now=now)
    if CHECKED_AGAIN & set(changes):
        changes |= _unchecked(now)
    if "endpoint" in changes:
        # The same bucket under another address has another identity.
        changes["identity"] = ""
    return changes


def _unchecked(now: datetime) -> dict[str, Any]:
    return {"health": Health.UNCHECKED, "health_words": "", "checked_at": None, "next_check_at": now}


def _new_endpoint(kept: ExternalStorage, edit: StorageEdit) -> str:
    """Saved credentials are not sent to a server for which nobody entered them."""
    endpoint = checked_endpoint(edit.endpoint or "")
    if kept.kind == Kind.LOCAL and endpoint:
        raise Refused("A local folder has no endpoint.")
    if endpoint != kept.endpoint and kept.credentials_at and edit.sign_in is None:
        raise Refused("The saved credentials are for the endpoint that they were entered with: enter them again.")
    return endpoint


def _new_sign_in(kept: ExternalStorage, said: SignIn, endpoint: str, *, now: datetime) -> dict[str, Any]:
    address = Address(kind=Kind(kept.kind), bucket=kept.bucket, endpoint=endpoint, account=kept.account)
    found = _sign_in(address, said, now=now)
    same = not found["credentials"] and not kept.credentials_at and found["from_machine"] == kept.from_machine
    return {} if same else {name: value for name, value in found.items() if value != getattr(kept, name)}


def _apply(kept: ExternalStorage, changes: Mapping[str, Any]) -> None:
    try:
        with transaction.atomic():
            ExternalStorage.objects.filter(pk=kept.pk).update(**changes)
    except IntegrityError as error:
        raise as_refusal(error, changes.get("label", kept.label)) from error
    kept.refresh_from_db()


def _what(changes: Mapping[str, Any]) -> str:
    if "enabled" not in changes:
        return "storage changed"
    return "storage switched on" if changes["enabled"] else "storage switched off"


def _said(changes: Mapping[str, Any]) -> list[str]:
    """Names of what changed, never a value: one of them may be a credential."""
    unsaid = {
        "health",
        "health_words",
        "checked_at",
        "next_check_at",
        "credentials_at",
        "identity",
        "project",
        "enabled",
    }
    words = {"from_machine": "sign-in", "group": "scope"}
    return sorted({words.get(name, name) for name in changes} - unsaid)


def move(storage_id: int, bucket: str = "", *, actor: Actor, who: str, now: datetime) -> ExternalStorage:
    """Says that everything was moved as a whole: to another bucket or folder, or, without one, to another disk under
    the same name. What was imported from it is found there by the same keys, which is tried on some of it first. Raises
    NotAllowed or Refused.
    """
    kept = kept_by(storage_id, actor)
    address = checked_address(replace(address_of(kept), bucket=bucket or kept.bucket))
    if address.prefix != kept.prefix:
        raise Refused("The prefix stays as it is: give the bucket or the folder alone.")
    if kept.provider is not None:
        check_on(kept.provider, address)
    changes = {"bucket": address.bucket, "moved": kept.moved + 1, "identity": "", **_unchecked(now)}
    before, found = kept.address, looked_into(kept, address.bucket)
    with transaction.atomic():
        _apply(kept, changes)
        settle_in(kept, found)
        _about(kept, "storage moved", who=who, now=now, detail=f"from {before} to {kept.address}{found.words}")
    return kept


def delete(storage_id: int, *, actor: Actor, who: str, now: datetime) -> None:
    """Nothing at the place itself is touched. Raises NotAllowed, or Refused while something is bound to it."""
    kept = kept_by(storage_id, actor)
    pk, label = kept.pk, kept.label
    try:
        with transaction.atomic():
            kept.delete()
            note("storage deleted", who=who, now=now, detail=f"{label}: {kept.address}", storage_id=pk)
    except ProtectedError as error:
        raise Refused(
            f"{label} is part of the history ({_bound(error)}): switch it off instead. Then nothing reads it any more."
        ) from error


def _bound(error: ProtectedError) -> str:
    found = list(error.protected_objects)
    names = {row._meta.verbose_name if len(found) == 1 else row._meta.verbose_name_plural for row in found}
    return f"{len(found):,} {' and '.join(sorted(map(str, names)))}"


def check(
    storage_id: int, *, actor: Actor, who: str, clock: Callable[[], datetime] = timezone.now
) -> StorageCheck | None:
    """Now, and written down; None if it was changed meanwhile. Raises NotAllowed or Refused."""
    return check_storage(usable_by(storage_id, actor).pk, who=who, clock=clock)


def browse(storage_id: int, path: str = "", *, actor: Actor, after: str = "", limit: int = LEVEL) -> Level:
    """One page of one folder; `path` is empty or ends in `/`. Raises NotAllowed, or Refused with what is wrong."""
    kept = usable_by(storage_id, actor)
    path = _folder(kept, path)
    try:
        config = config_of(ExternalStorage.objects.get(pk=kept.pk))
        store = store_for(config)
        return within(
            PATIENCE, lambda: store.folders(path, after=after, limit=min(limit, LEVEL)), about=(config, path, after)
        )
    except KeyMissing as error:
        raise Refused(str(error)) from error
    except StoreError as error:
        raise Refused(_masked(kept, str(error))) from error


def _folder(kept: ExternalStorage, said: str) -> str:
    """In a bucket, `..` and empty parts are names like any other."""
    path = said if not said or said.endswith("/") else f"{said}/"
    if kept.kind == Kind.LOCAL and path and {"", ".", ".."} & set(path[:-1].split("/")):
        raise Refused("There is no such folder.")
    return path


def _masked(kept: ExternalStorage, text: str) -> str:
    return config_of(ExternalStorage.objects.get(pk=kept.pk)).credentials.masked(text)


def kept_by(storage_id: int, actor: Actor) -> ExternalStorage:
    """Of what the actor does not even see, it is not said that it is there."""
    kept = visible(actor).filter(pk=storage_id).first()
    if kept is None:
        raise Refused(f"There is no storage {storage_id}: look at the list of storages.")
    guard(actor)
    return kept


def usable_by(storage_id: int, actor: Actor) -> ExternalStorage:
    kept = usable(actor).filter(pk=storage_id).first()
    if kept is not None:
        return kept
    if visible(actor).filter(pk=storage_id).exists():
        raise NotAllowed("You need the role uploader in a project there for this: ask an admin of the project.")
    raise Refused(f"There is no storage {storage_id}: look at the list of storages.")


def rotate(*, now: datetime) -> tuple[int, list[str]]:
    """How many storages' credentials are encrypted with the first key now, and the labels of those that no key opens.

    One short transaction each; what somebody saves meanwhile is not written over. Raises KeyMissing without any key.
    """
    require_key()
    done, lost = 0, []
    rows = ExternalStorage.objects.filter(credentials__isnull=False).order_by("pk")
    for row in rows.iterator(chunk_size=BATCH):
        try:
            sealed = resealed(row.credentials or b"")
        except KeyMissing:
            lost.append(row.label)
            continue
        with transaction.atomic():
            same = ExternalStorage.objects.filter(pk=row.pk, credentials=bytes(row.credentials or b""))
            done += same.update(credentials=sealed)
    note("secrets rotated", who="system", now=now, detail=f"{done} of {done + len(lost)}")
    return done, lost


def _about(kept: ExternalStorage, what: str, *, who: str, now: datetime, detail: str = "") -> None:
    note(what, who=who, now=now, detail=detail, storage_id=kept.pk)


def note(what: str, *, who: str, now: datetime, detail: str, **about: int) -> None:
    Event.objects.create(at=now, who=who, what=what, detail=detail, **about)
