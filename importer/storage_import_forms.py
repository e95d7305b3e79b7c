"""What the pages ask that import from a storage, once or on a schedule, with each error at its field."""

from datetime import UTC, datetime
from typing import Any, Final

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from hierarchy.models import Project
from importer import storage_providers, storage_queries
from importer.core.cron import BadCron, checked_cron
from importer.core.states import SourceKind
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.models import ImportSchedule
from importer.models.schedule import NAME_LENGTH
from importer.new_import_forms import ImportForm, uploadable_projects
from importer.schedule_words import DELETE_SOURCE, transfer_said
from importer.schedules import NewSchedule, Options, ScheduleEdit, Times
from importer.services import ImportRequest, who_is
from storages.models import ExternalStorage
from storages.stores import Kind

# Times that people ask for most, offered while somebody types.
USUAL_TIMES: Final = (
    ("0 * * * *", "every hour"),
    ("0 3 * * *", "every night at 03:00"),
    ("0 3 * * mon-fri", "on working days at 03:00"),
    ("0 3 * * sun", "every Sunday at 03:00"),
    ("0 3 1 * *", "on the first of every month at 03:00"),
)
MOST_PREFIXES: Final = 64 * 1024
ZONELESS: Final = "%Y-%m-%dT%H:%M"


def projects_of(storage: ExternalStorage, actor: User) -> "QuerySet[Project]":
    """Where the actor may import what lies in this storage."""
    projects = uploadable_projects(actor)
    if storage.project_id:
        return projects.filter(pk=storage.project_id)
    return projects.filter(group=storage.group_id) if storage.group_id else projects


def transfers_of(storage: ExternalStorage) -> list[tuple[str, str]]:
    """What this storage could ever do, first what it does by itself. What goes with the rules, a service says."""
    offered = [Transfer.AUTO]
    if storage.provider_id is not None:
        offered += [Transfer.REFERENCE, Transfer.COPY]
        offered += [Transfer.SYMLINK] if storage.kind == Kind.LOCAL else []
    elif storage.kind == Kind.LOCAL:
        offered += [Transfer.HARDLINK, Transfer.MOVE]
    return [(one.value, transfer_said(one, storage)) for one in offered]


class UtcField(forms.DateTimeField):
    """A browser's field of time has no zone of its own: what is written there is UTC, as the cron is."""

    def __init__(self, **named: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=ZONELESS)
        super().__init__(required=False, help_text="In UTC.", widget=widget, **named)

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(UTC):
            return super().prepare_value(value)


class StorageImportForm(ImportForm):
    """Of a storage: all of it, or what begins with one of the prefixes."""

    prefixes = forms.CharField(
        label="Only what begins with", required=False, max_length=MOST_PREFIXES, strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false", "autocapitalize": "none"}),
        help_text="One per line, such as scans/2024/. Empty: everything in the storage.",
    )  # fmt: skip
    transfer = forms.ChoiceField(label="Bytes", required=False)
    delete_source = forms.ChoiceField(
        label="Afterwards the source", required=False, choices=list(DELETE_SOURCE.items()),
        help_text="All of it or nothing, after what is stored was read again.",
    )  # fmt: skip
    checksum = forms.BooleanField(
        label="Read every byte, also of files that are as they were at the last import", required=False
    )
    acknowledged = forms.BooleanField(
        label="I have read this. These files stay as they are, and they stay.", required=False
    )

    def __init__(self, *args: Any, actor: User, storage: ExternalStorage, **named: Any) -> None:
        super().__init__(*args, actor=actor, projects=projects_of(storage, actor), **named)
        self.storage = storage
        self.fields["label"].help_text = "What the import is called: else as the storage."
        self.fields["transfer"].choices = self._transfers()  # type: ignore[attr-defined]
        # Asked once for a storage, by whoever begins the first import by reference from it.
        self.warning = storage_providers.warning_before_import(storage)
        if not self.warning:
            del self.fields["acknowledged"]
        if storage.provider_id is not None:
            del self.fields["delete_source"]

    def _transfers(self) -> list[tuple[str, str]]:
        """With what is chosen already, from another door."""
        offered, chosen = transfers_of(self.storage), self.initial.get("transfer", "")
        known = chosen in {"", *dict(offered)}
        return offered if known else [*offered, (chosen, transfer_said(Transfer(chosen), self.storage))]

    def clean_prefixes(self) -> list[str]:
        """As lines; an empty one says nothing."""
        return [line for line in self.cleaned_data["prefixes"].splitlines() if line.strip()]

    def clean_transfer(self) -> Transfer:
        return Transfer(self.cleaned_data["transfer"] or Transfer.AUTO)

    def settings(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            **super().settings(),
            "transfer": said["transfer"],
            "delete_source": DeleteSource(said.get("delete_source") or DeleteSource.NEVER),
            "checksum": said["checksum"],
        }

    @property
    def agreed(self) -> bool:
        """Whether the warning was shown and ticked just now."""
        return bool(self.warning and self.cleaned_data.get("acknowledged"))

    def request(self, *, dry_run: bool) -> ImportRequest:
        """Of a form that is valid."""
        said = self.cleaned_data
        return ImportRequest(
            project=said["project"],
            source_kind=SourceKind.STORAGE,
            storage=self.storage,
            prefixes=tuple(said["prefixes"]),
            label=said["label"] or self.storage.label,
            description=said["description"],
            who=who_is(self.actor),
            dry_run=dry_run,
            **self.settings(),
        )


class ScheduleForm(StorageImportForm):
    """The same, and when. Project and storage of a schedule that is there stay."""

    name = forms.CharField(
        max_length=NAME_LENGTH, required=False, help_text="Its imports are called so. Empty: after storage and project."
    )
    cron = forms.CharField(
        label="When, in UTC", max_length=100,
        widget=forms.TextInput(attrs={"class": "mono", "list": "usual-times", "placeholder": "0 3 * * *"}),
        help_text="Minute, hour, day of the month, month, day of the week: 0 3 * * * is every night at 03:00.",
    )  # fmt: skip
    start = UtcField(label="Not before")
    end = UtcField(label="Not after")
    dry_run = forms.BooleanField(label="Stop as a plan each time, and wait to be approved", required=False)

    def __init__(self, *args: Any, schedule: ImportSchedule | None = None, **named: Any) -> None:
        super().__init__(*args, **named)
        self.schedule = schedule
        del self.fields["label"]
        if schedule is not None:
            del self.fields["project"]
            self.fields["name"].required = True
            self.fields["name"].help_text = "Its imports are called so."
            self._keep_own_rules(schedule)

    def _keep_own_rules(self, schedule: ImportSchedule) -> None:
        """Rules that came with a file from the shell are shown as what they are called, and can be left."""
        rules: Any = self.fields["rules"]
        if schedule.rules and schedule.rules not in dict(rules.choices):
            rules.choices = [*rules.choices, (schedule.rules, f"{schedule.rules} (this schedule's own)")]

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if "cron" in said:
            try:
                checked_cron(said["cron"])
            except BadCron as error:
                self.add_error("cron", str(error))
        if said.get("start") and said.get("end") and said["end"] <= said["start"]:
            self.add_error("end", "The end lies before the start.")
        return said

    def options(self) -> Options:
        said = self.cleaned_data
        own = self.schedule is not None and self.schedule.rules_text and said["rules"] == self.schedule.rules
        return Options(
            **self.settings(),
            rules_text=self.schedule.rules_text if own and self.schedule else "",
            dry_run=said["dry_run"],
        )

    def times(self) -> Times:
        said = self.cleaned_data
        return Times(cron=said["cron"], start=said["start"], end=said["end"])

    def new(self) -> NewSchedule:
        said = self.cleaned_data
        return NewSchedule(
            project=said["project"], storage=self.storage, times=self.times(), name=said["name"],
            description=said["description"], prefixes=said["prefixes"], options=self.options(),
        )  # fmt: skip

    def edit(self) -> ScheduleEdit:
        said = self.cleaned_data
        return ScheduleEdit(
            name=said["name"], description=said["description"], prefixes=said["prefixes"], times=self.times(),
            options=self.options(),
        )  # fmt: skip


def initial_of(kept: ImportSchedule) -> dict[str, Any]:
    """What the form of a schedule shows when it is opened."""
    return {
        "name": kept.name,
        "description": kept.description,
        "prefixes": "\n".join(kept.prefixes),
        "rules": kept.rules,
        "strategy": kept.strategy,
        "uid_scope": kept.uid_scope,
        "missing_meta": kept.missing_meta,
        "limit": kept.limit,
        "transfer": kept.transfer,
        "delete_source": kept.delete_source,
        "checksum": kept.checksum,
        "dry_run": kept.dry_run,
        "cron": kept.cron,
        "start": kept.start_at,
        "end": kept.end_at,
    }


def usable_storages(actor: User, *, most: int = 200) -> list[ExternalStorage]:
    """Those that an import of the actor may come from, by label."""
    return list(_usable(actor).order_by("label", "id")[:most])


def usable_storage(actor: User, number: int | None) -> ExternalStorage | None:
    return None if number is None else _usable(actor).filter(pk=number).first()


def _usable(actor: User) -> "QuerySet[ExternalStorage]":
    return storage_queries.usable(actor).filter(storage_queries.DIRECTIONS["import"], enabled=True)
