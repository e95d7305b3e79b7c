"""What comes in from the forms of storages. Credentials go in and never come out again, not into the same form."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from hierarchy.errors import Refused
from hierarchy.selectors import Actor, find_project, visible_projects
from importer.rule_choice import find_group
from importer.storage_address import Address
from importer.storage_providers import NewProvider, ProviderEdit
from importer.storage_queries import find_provider
from importer.storage_services import NewStorage, Scope, SignIn, StorageEdit
from importer.storage_words import KINDS
from storages.models import Access, Direction, ExternalStorage, StorageProvider
from storages.stores import Kind

KEEP, CREDENTIALS, MACHINE, PUBLIC = "keep", "credentials", "machine", "public"
# Of what a form offers while somebody types.
MOST_SCOPES = 500


def shown_values(said: Mapping[str, Any], kind: str = "") -> dict[str, str]:
    """What a form shows again: all but credentials."""
    secret = {field.name for field in KINDS[kind].credentials} if kind else set()
    return {name: str(value) for name, value in said.items() if name not in secret and name != "csrfmiddlewaretoken"}


def values_of(row: ExternalStorage) -> dict[str, str]:
    """What the form of a storage shows when it is opened."""
    return {
        "label": row.label, "description": row.description, "bucket": row.bucket, "prefix": row.prefix,
        "endpoint": row.endpoint, "region": row.region, "account": row.account, "direction": row.direction,
        "scope": scope_of(row), "sign_in": KEEP, "enabled": "1" if row.enabled else "",
        "provider": row.provider.label if row.provider else "",
    }  # fmt: skip


def provider_values(row: StorageProvider) -> dict[str, str]:
    return {"label": row.label, "description": row.description, "access": row.access}


def scope_of(row: ExternalStorage) -> str:
    """As a form takes it: a group's name, GROUP/PROJECT, or nothing for the site."""
    return str(row.project) if row.project else row.group.name if row.group else ""


def scopes(actor: Actor) -> list[str]:
    """Addresses to choose from, groups first."""
    projects = list(visible_projects(actor).order_by("group__name", "label")[:MOST_SCOPES])
    return sorted({project.group.name for project in projects}) + [str(project) for project in projects]


def scope_from(said: str, actor: Actor) -> Scope:
    """Raises Refused for a group or project that is not there."""
    said = said.strip()
    if not said:
        return Scope()
    if "/" in said:
        return Scope(project=find_project(said, actor=actor))
    return Scope(group=find_group(said, actor=actor))


def address_from(kind: str, said: Mapping[str, Any]) -> Address:
    place = {name: str(said.get(name, "")) for name in ("bucket", "prefix", "endpoint", "region", "account")}
    return Address(kind=Kind(kind), **place)


def sign_in_from(kind: str, said: QueryDict) -> SignIn | None:
    """None: as it is saved. Credentials count only where they are what was chosen."""
    chosen = said.get("sign_in", CREDENTIALS if KINDS[kind].credentials else PUBLIC)
    if chosen == KEEP:
        return None
    if chosen == MACHINE:
        return SignIn(from_machine=True)
    if chosen == PUBLIC:
        return SignIn()
    given = {field.name: said.get(field.name, "") for field in KINDS[kind].credentials}
    if not any(value.strip() for value in given.values()):
        raise Refused("Enter the credentials, or choose another way to sign in.")
    return SignIn(credentials=given)


def new_storage(kind: str, said: QueryDict, actor: Actor) -> NewStorage:
    """Raises Refused for what makes no sense before a service looks at it."""
    provider = said.get("provider", "")
    return NewStorage(
        label=said.get("label", ""),
        description=said.get("description", ""),
        address=address_from(kind, said.dict()),
        sign_in=sign_in_from(kind, said) or SignIn(),
        direction=direction_from(said),
        scope=scope_from(said.get("scope", ""), actor),
        provider=find_provider(actor, provider) if provider else None,
    )


def direction_from(said: QueryDict) -> Direction:
    chosen = said.get("direction", Direction.IMPORT.value)
    if chosen not in Direction.values:
        raise Refused("Choose what it is for: import, export or both.")
    return Direction(chosen)


def edit_of(row: ExternalStorage, said: QueryDict, actor: Actor) -> StorageEdit:
    return StorageEdit(
        label=said.get("label", ""),
        description=said.get("description", ""),
        endpoint=said.get("endpoint"),
        region=said.get("region"),
        direction=direction_from(said),
        scope=scope_from(said.get("scope", ""), actor),
        sign_in=sign_in_from(row.kind, said) if KINDS[row.kind].credentials else None,
    )


def new_provider(said: QueryDict) -> NewProvider:
    kind = said.get("kind", "")
    if kind not in KINDS:
        raise Refused("Choose the kind of place.")
    return NewProvider(
        label=said.get("label", ""),
        description=said.get("description", ""),
        address=address_from(kind, said.dict()),
        access=access_from(said),
        acknowledged=said.get("acknowledged") == "1",
    )


def access_from(said: QueryDict) -> Access:
    chosen = said.get("access", Access.READ_ONLY.value)
    if chosen not in Access.values:
        raise Refused("Choose what may be done with its bytes: read only, or read and write.")
    return Access(chosen)


def provider_edit(said: QueryDict) -> ProviderEdit:
    return ProviderEdit(label=said.get("label", ""), description=said.get("description", ""), access=access_from(said))
