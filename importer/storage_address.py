"""What somebody wrote about where a storage lies and how to get in, looked at before anything is kept of it.

No text in here quotes a credential, also not a wrong one.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hierarchy.errors import Refused
from importer.core.names import printable, raw
from importer.local_sources import checked_source
from storages.models import LABEL_LENGTH, PATH_LENGTH
from storages.secrets import NO_SECRET, Secret
from storages.stores import Kind, StoreError
from storages.stores.network import check_endpoint

# A command's argument, a form's value and a word of an address at once.
LABEL = re.compile(r"[^\W_][\w .()+-]{0,63}")
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
REGION = re.compile(r"[A-Za-z0-9-]{0,64}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
BUCKET_WORD = {Kind.S3: "bucket", Kind.AZURE: "container", Kind.GOOGLE: "bucket", Kind.LOCAL: "folder"}

# For each kind: which credentials belong together. One whole set, or none.
SETS: Mapping[Kind, tuple[frozenset[str], ...]] = {
    Kind.LOCAL: (),
    Kind.S3: (frozenset({"access_key", "secret_key"}), frozenset({"access_key", "secret_key", "session_token"})),
    Kind.AZURE: (frozenset({"account_key"}), frozenset({"sas_token"}), frozenset({"connection_string"})),
    Kind.GOOGLE: (frozenset({"service_account"}),),
}
SAID = {
    Kind.LOCAL: "A local folder needs no credentials.",
    Kind.S3: "Give both the access key and the secret key, with a session token only if they came with one.",
    Kind.AZURE: "Give one of them: an account key, a SAS token or a connection string.",
    Kind.GOOGLE: "Give the JSON key of a service account.",
}
GOOGLES = ("googleapis.com", "google.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where bytes lie, made good: of a folder the real path, in its printable form."""

    kind: Kind
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    account: str = ""


def checked_label(said: str) -> str:
    label = said.strip()
    if not LABEL.fullmatch(label):
        raise Refused(
            f"{label!r} cannot be a label: up to {LABEL_LENGTH} letters, digits, spaces and . _ - + ( ), beginning "
            "with a letter or digit."
        )
    if label.isdecimal():
        raise Refused(f"{label} would be taken for a number: choose a label with a letter.")
    return label


def checked_address(said: Address) -> Address:
    """Raises Refused with what is wrong. `s3://bucket/a/b` as the bucket is bucket and prefix."""
    said = _from_url(said)
    if not said.bucket:
        raise Refused(f"Say which {BUCKET_WORD[said.kind]}.")
    prefix = checked_prefix(said.prefix)
    if said.kind == Kind.LOCAL:
        if said.endpoint or said.region or said.account:
            raise Refused("A local folder has neither endpoint nor region nor account.")
        return Address(kind=said.kind, bucket=_checked_folder(said.bucket, prefix), prefix=prefix)
    if not BUCKET.fullmatch(said.bucket):
        raise Refused(f"{said.bucket!r} cannot be the name of a {BUCKET_WORD[said.kind]}: give its name alone.")
    return Address(
        kind=said.kind,
        bucket=said.bucket,
        prefix=prefix,
        endpoint=checked_endpoint(said.endpoint),
        region=checked_region(said.kind, said.region),
        account=_checked_account(said),
    )


def _from_url(said: Address) -> Address:
    scheme, separator, rest = said.bucket.strip().partition("://")
    if said.kind == Kind.LOCAL or not separator:
        return Address(
            kind=said.kind, bucket=said.bucket.strip(), prefix=said.prefix, endpoint=said.endpoint.strip(),
            region=said.region.strip(), account=said.account.strip(),
        )  # fmt: skip
    parts = rest.strip("/").split("/")
    if scheme != said.kind:
        raise Refused(f"{scheme}:// is another kind of storage than {said.kind}://: choose its kind first.")
    account = said.account.strip()
    if said.kind == Kind.AZURE and len(parts) > 1 and not account:
        account = parts.pop(0)
    if parts[1:] and said.prefix:
        raise Refused("There are two prefixes, one in the address and one beside it: leave one out.")
    return Address(
        kind=said.kind, bucket=parts[0], prefix=said.prefix or "/".join(parts[1:]), endpoint=said.endpoint.strip(),
        region=said.region.strip(), account=account,
    )  # fmt: skip


def checked_prefix(said: str) -> str:
    """`a/b` for `/a/b/`. Raises Refused for what leads elsewhere."""
    prefix = said.strip().strip("/")
    if CONTROL.search(prefix):
        raise Refused("A prefix holds no control characters.")
    if prefix and {"", ".", ".."} & set(prefix.split("/")):
        raise Refused("A prefix is a path like scans/2024: no empty part, no . and no ..")
    if len(prefix.encode()) > PATH_LENGTH:
        raise Refused(f"A prefix has at most {PATH_LENGTH} bytes.")
    return prefix


def checked_endpoint(said: str) -> str:
    endpoint = said.strip().rstrip("/")
    if endpoint:
        _checked_server(endpoint)
    return endpoint


def checked_region(kind: str, said: str) -> str:
    region = said.strip()
    if region and kind != Kind.S3:
        raise Refused("Only S3 storages have a region.")
    if not REGION.fullmatch(region):
        raise Refused("A region is written like eu-central-1.")
    return region


def _checked_server(url: str) -> None:
    try:
        check_endpoint(url)
    except StoreError as error:
        raise Refused(str(error)) from error


def _checked_account(said: Address) -> str:
    if said.kind != Kind.AZURE:
        if said.account:
            raise Refused("Only Azure storages have an account.")
        return ""
    if said.account and not ACCOUNT.fullmatch(said.account):
        raise Refused("A storage account's name has 3 to 24 lower-case letters and digits.")
    return said.account


def _checked_folder(path: str, prefix: str) -> str:
    """The real path: a link is followed here, once. Raises Refused outside PRATIQUE_LOCAL_ROOTS."""
    if not path.startswith("/"):
        raise Refused("Give the whole path of the folder, from / on.")
    resolved = checked_source(raw(path))
    if prefix:
        inner = checked_source(os.path.join(resolved, raw(prefix)))
        if inner != os.path.join(resolved, raw(prefix)):
            raise Refused("The prefix leads through a link: give the folder that it leads to.")
    return printable(resolved)


def checked_credentials(kind: Kind, given: Mapping[str, str], *, account: str, endpoint: str) -> Secret:
    """One whole set of what this kind takes; nothing at all is an empty one. Raises Refused."""
    secret = Secret.of(**{name: value.strip() for name, value in given.items()})
    if not secret:
        return NO_SECRET
    if secret.names() not in SETS[kind]:
        raise Refused(SAID[kind])
    if kind == Kind.AZURE:
        _check_azure(secret, account)
    if kind == Kind.GOOGLE:
        _check_google(secret.get("service_account"), endpoint)
    return secret


def _check_azure(secret: Secret, account: str) -> None:
    """A connection string names its own server: as much an endpoint as one that is written in the field."""
    said = secret.get("connection_string")
    if not said and not account:
        raise Refused("Say which storage account.")
    fields = dict(part.partition("=")[::2] for part in said.split(";") if "=" in part)
    for name, value in fields.items():
        if name.casefold().endswith("endpoint") and name.casefold() != "defaultendpointsprotocol":
            _checked_server(value)
    if said and not {"accountname", "sharedaccesssignature"} & {name.casefold() for name in fields}:
        raise Refused("The connection string names no account: copy it whole, from AccountName= on.")


def _check_google(text: str, endpoint: str) -> None:
    """Only the key of a service account: other kinds of credentials name programs to run and addresses to ask."""
    try:
        key = json.loads(text)
    except ValueError as error:
        raise Refused("The service account's key is not JSON: paste the whole file that Google gave.") from error
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise Refused("This is not the JSON key of a service account (its type says something else).")
    if not all(isinstance(key.get(name), str) and key[name] for name in ("client_email", "private_key")):
        raise Refused("The service account's key lacks client_email or private_key: paste the whole file.")
    host = urlsplit(str(key.get("token_uri") or "https://oauth2.googleapis.com/token")).hostname or ""
    if not any(host == one or host.endswith(f".{one}") for one in GOOGLES) and not endpoint:
        raise Refused("The key's token_uri is no address of Google.")


def inside(inner: Address, outer: Address) -> bool:
    """Whether all that lies at `inner` lies at `outer`, too."""
    if (inner.kind, inner.endpoint, inner.account) != (outer.kind, outer.endpoint, outer.account):
        return False
    if inner.kind == Kind.LOCAL:
        return Path(inner.bucket, inner.prefix).is_relative_to(Path(outer.bucket, outer.prefix))
    own = f"{inner.prefix}/".startswith(f"{outer.prefix}/") if outer.prefix else True
    return inner.bucket == outer.bucket and own
