"""What pages, commands and REST call the parts of a storage: the only place that knows these words."""

from collections.abc import Mapping
from dataclasses import dataclass

from importer.core.wording import Tone, Wording
from storages.checks import StepName, StepOutcome
from storages.models import Access, Direction, Health
from storages.stores import Kind, ListedKind

HEALTH: Mapping[str, Wording] = {
    Health.OK: Wording(Health.OK.label, Tone.GOOD, "The last check passed."),
    Health.FAILED: Wording(Health.FAILED.label, Tone.BAD, "The last check failed; it is tried again by itself."),
    Health.UNCHECKED: Wording(Health.UNCHECKED.label, Tone.IDLE, "It is checked within a minute or two."),
}
OFF = Wording("Switched off", Tone.REST, "Nothing is read from it or written to it, and it is not checked.")

DIRECTION: Mapping[str, str] = {one.value: one.label for one in Direction}
ACCESS: Mapping[str, str] = {one.value: one.label for one in Access}

STEP: Mapping[str, str] = {
    StepName.OPEN: "Open",
    StepName.LIST: "List",
    StepName.STAT: "Look at one",
    StepName.READ: "Read one",
    StepName.PUT: "Write one",
    StepName.DELETE: "Delete it",
}
STEP_OUTCOME: Mapping[str, Wording] = {
    StepOutcome.OK: Wording("OK", Tone.GOOD),
    StepOutcome.FAILED: Wording("Failed", Tone.BAD),
    StepOutcome.SKIPPED: Wording("Not tried", Tone.IDLE),
}


NOT_A_FILE: Mapping[str, str] = {
    ListedKind.PLACEHOLDER: "empty folder",
    ListedKind.SYMLINK: "link: not followed",
    ListedKind.SPECIAL: "no ordinary file",
    ListedKind.UNREADABLE: "may not be read",
    ListedKind.TOO_DEEP: "too deep",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form. `secret`: never shown again; `lines` is more than one for what is pasted as a file."""

    name: str
    label: str
    help: str = ""
    secret: bool = False
    required: bool = False
    lines: int = 1
    example: str = ""


@dataclass(frozen=True, slots=True)
class KindWords:
    """`place` says where, `credentials` how to get in, `machine` what the machine's own identity is called there."""

    title: str
    short: str
    what: str
    bucket: str
    place: tuple[Field, ...]
    credentials: tuple[Field, ...] = ()
    credentials_help: str = ""
    machine: str = ""


PREFIX = Field(
    "prefix", "Prefix", "Only what lies below this folder. It cannot be changed later; empty is everything.",
    example="scans/2024",
)  # fmt: skip

KINDS: Mapping[str, KindWords] = {
    Kind.LOCAL: KindWords(
        title="Local folder",
        short="Local",
        what="A folder of this machine, or a share that is mounted on it.",
        bucket="Folder",
        place=(
            Field(
                "bucket", "Folder", "The whole path, from / on. It has to lie inside PRATIQUE_LOCAL_ROOTS.",
                required=True, example="/mnt/pacs",
            ),
            PREFIX,
        ),
    ),
    Kind.S3: KindWords(
        title="Amazon S3 and compatibles",
        short="S3",
        what="A bucket of Amazon S3, MinIO, Ceph, Wasabi and others that speak its language.",
        bucket="Bucket",
        place=(
            Field("bucket", "Bucket", "Its name, or all of it pasted: s3://bucket/prefix.", required=True),
            PREFIX,
            Field(
                "endpoint", "Endpoint", "Empty for Amazon. Else the address of the service.",
                example="https://minio.example.org",
            ),
            Field("region", "Region", "Where the bucket is; many compatibles need none.", example="eu-central-1"),
        ),
        credentials=(
            Field("access_key", "Access key", secret=True),
            Field("secret_key", "Secret key", secret=True),
            Field("session_token", "Session token", "Only for temporary credentials.", secret=True),
        ),
        credentials_help="It needs s3:ListBucket and s3:GetObject; to export, s3:PutObject and s3:DeleteObject, too.",
        machine="the role of this machine (instance profile, web identity)",
    ),
    Kind.AZURE: KindWords(
        title="Azure Blob Storage",
        short="Azure",
        what="A container of an Azure storage account.",
        bucket="Container",
        place=(
            Field("account", "Storage account", "Its name, without .blob.core.windows.net."),
            Field("bucket", "Container", "Its name, or all of it pasted: az://account/container.", required=True),
            PREFIX,
            Field("endpoint", "Endpoint", "Empty for the public cloud."),
        ),
        credentials=(
            Field("account_key", "Account key", secret=True),
            Field("sas_token", "SAS token", "It needs read and list; to export, write and delete, too.", secret=True),
            Field("connection_string", "Connection string", secret=True),
        ),
        credentials_help="One of the three.",
        machine="the managed identity of this machine",
    ),
    Kind.GOOGLE: KindWords(
        title="Google Cloud Storage",
        short="Google",
        what="A bucket of Google Cloud Storage.",
        bucket="Bucket",
        place=(
            Field("bucket", "Bucket", "Its name, or all of it pasted: gs://bucket/prefix.", required=True),
            PREFIX,
            Field("endpoint", "Endpoint", "Empty for Google itself."),
        ),
        credentials=(
            Field(
                "service_account", "Service account key", "The whole JSON file that Google gave.", secret=True, lines=5
            ),
        ),
        credentials_help="The account needs the role Storage Object Viewer; to export, Storage Object User.",
        machine="the service account of this machine",
    ),
}  # fmt: skip
