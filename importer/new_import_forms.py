"""What the page "New import" asks, with each error at its field."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Exists, Q, QuerySet

from hierarchy.errors import Refused
from hierarchy.models import Project, Role
from hierarchy.selectors import memberships, sees_all, visible_projects
from importer import rule_choice
from importer.core.states import MissingMeta, Strategy, UidScope
from importer.core.wording import MISSING_META, STRATEGY, UID_SCOPE
from importer.local_sources import checked_source
from importer.services import ImportRequest, who_is
from importer.sources import Source, check_goes_to, typed_source

AS_RULES = ("", "As the rules say")
MOST_PROJECTS = 500
MOST_RULES = 200


def uploadable_projects(actor: User) -> QuerySet[Project]:
    """Where the actor may import. For the page; the service asks again."""
    projects = visible_projects(actor)
    if sees_all(actor):
        return projects
    enough = [role.value for role in Role if role.rank >= Role.UPLOADER.rank]
    mine = memberships(actor).filter(role__in=enough)
    return projects.filter(
        Q(pk__in=mine.filter(project__isnull=False).values("project"))
        | Q(group__in=mine.filter(group__isnull=False).values("group"))
        | Q(Exists(mine.filter(project=None, group=None)))
    )


def rule_choices(actor: User) -> list[tuple[str, str]]:
    """Names, each once: which one of a name is meant, the project decides."""
    names = [row.name for row in rule_choice.all_rows(actor, most=MOST_RULES)]
    return [("", "The project's default"), *((name, name) for name in dict.fromkeys(names))]


class ImportForm(forms.Form):
    """What every import is asked for, wherever its files are."""

    project = forms.ModelChoiceField(queryset=Project.objects.none(), empty_label="Choose a project")
    rules = forms.ChoiceField(label="Rule set", required=False, help_text="Says what is taken and where it goes.")
    label = forms.CharField(
        max_length=255, required=False, help_text="What the import is called: else the folder's name."
    )
    description = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}))
    strategy = forms.ChoiceField(
        label="Files that clash", required=False, choices=[AS_RULES, *STRATEGY.items()],
    )  # fmt: skip
    missing_meta = forms.ChoiceField(
        label="Files without a label", required=False, choices=[AS_RULES, *MISSING_META.items()]
    )
    uid_scope = forms.ChoiceField(
        label="A UID is unique", required=False, choices=[("", "As the rules or the project say"), *UID_SCOPE.items()]
    )
    limit = forms.IntegerField(
        label="Only the first files", required=False, min_value=1, max_value=2**62,
        help_text="So many, in the order of their names; empty for all.",
    )  # fmt: skip

    def __init__(self, *args: Any, actor: User, projects: "QuerySet[Project]", **named: Any) -> None:
        super().__init__(*args, **named)
        self.label_suffix = ""
        self.actor = actor
        few = list(projects[:2])
        if len(few) == 1:
            self.initial.setdefault("project", few[0].pk)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        self.fields["rules"].choices = rule_choices(actor)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("project") is not None:
            self.check_at("rules", rule_choice.resolve, said["project"], said.get("rules") or None, actor=self.actor)
        return said

    def check_at(self, field: str, asked: Any, *args: Any, **named: Any) -> None:
        """What a service refuses is said at the field that it is about."""
        try:
            asked(*args, **named)
        except Refused as error:
            self.add_error(field, str(error))

    def settings(self) -> dict[str, Any]:
        """The settings as a request takes them; None: as the rules, the project or the site say."""
        said = self.cleaned_data
        return {
            "strategy": Strategy(said["strategy"]) if said["strategy"] else None,
            "uid_scope": UidScope(said["uid_scope"]) if said["uid_scope"] else None,
            "missing_meta": MissingMeta(said["missing_meta"]) if said["missing_meta"] else None,
            "limit": said["limit"],
            "rules": said["rules"] or None,
        }


class NewImportForm(ImportForm):
    """Of a folder. `source` is that of a signed link; without it the path is typed."""

    path = forms.CharField(
        label="Source folder", max_length=4096, help_text="The whole path on the server, inside PRATIQUE_LOCAL_ROOTS."
    )

    def __init__(self, *args: Any, actor: User, source: Source | None, **named: Any) -> None:
        projects = uploadable_projects(actor)
        if source is not None and source.project_id and not sees_all(actor):
            projects = projects.filter(pk=source.project_id)
        super().__init__(*args, actor=actor, projects=projects, **named)
        self.source = source
        if source is not None:
            del self.fields["path"]

    def clean_path(self) -> str:
        path: str = self.cleaned_data["path"]
        try:
            self.source = typed_source(path, actor=self.actor)
            checked_source(self.source.root)
        except Refused as error:
            raise forms.ValidationError(str(error)) from error
        return path

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if self.source is not None and said.get("project") is not None:
            self.check_at("project", check_goes_to, self.source, said["project"], actor=self.actor)
        return said

    def request(self, *, dry_run: bool) -> ImportRequest:
        """Of a form that is valid."""
        said, source = self.cleaned_data, self.source
        if source is None:
            raise Refused("There is no source folder: choose one.")
        return ImportRequest(
            project=said["project"],
            source_kind=source.kind,
            source_root=source.root,
            label=said["label"] or source.label,
            description=said["description"],
            who=who_is(self.actor),
            dry_run=dry_run,
            **self.settings(),
        )
