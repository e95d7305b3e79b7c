"""What the pages of the tree read, always within what the actor sees. The number of queries is fixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from hierarchy.manifests import from_lines
from hierarchy.models import Acquisition, File, FileVersion, Manifest, Project, Session, Subject
from hierarchy.models.files import PARENTS
from hierarchy.natural import natural
from hierarchy.selectors import Actor, visible_projects

# How many of each kind a search over all projects shows.
FOUND = 20
DICOM = "dicom"


def projects(actor: Actor, *, label: str = "") -> QuerySet[Project]:
    """With `subject_count`; `label` is a part of the group's name or of the project's label."""
    found = visible_projects(actor).annotate(subject_count=_count(Subject.objects, "project"))
    return found.filter(Q(label__icontains=label) | Q(group__name__icontains=label)) if label else found


def subjects(actor: Actor) -> QuerySet[Subject]:
    return Subject.objects.filter(project__in=visible_projects(actor)).select_related("project__group")


def sessions(actor: Actor) -> QuerySet[Session]:
    visible = Session.objects.filter(subject__project__in=visible_projects(actor))
    return visible.select_related("subject__project__group")


def acquisitions(actor: Actor) -> QuerySet[Acquisition]:
    visible = Acquisition.objects.filter(session__subject__project__in=visible_projects(actor))
    return visible.select_related("session__subject__project__group")


def files(actor: Actor) -> QuerySet[File]:
    """On whatever level; what stands above a file comes with it."""
    seen = visible_projects(actor)
    return File.objects.filter(
        Q(project__in=seen)
        | Q(subject__project__in=seen)
        | Q(session__subject__project__in=seen)
        | Q(acquisition__session__subject__project__in=seen)
    ).select_related(
        "project__group",
        "subject__project__group",
        "session__subject__project__group",
        "acquisition__session__subject__project__group",
    )


def subjects_of(project: Project, *, label: str = "") -> QuerySet[Subject]:
    """With `session_count`; `label` is a part of the label."""
    found = project.subjects.annotate(session_count=_count(Session.objects, "subject"))
    return found.filter(label__icontains=label) if label else found


def sessions_of(subject: Subject) -> QuerySet[Session]:
    """With `acquisition_count`."""
    return subject.sessions.annotate(acquisition_count=_count(Acquisition.objects, "session"))


def acquisitions_of(session: Session) -> list[int]:
    """The ids of a session's acquisitions in the order of their numbers, which a database does not know."""
    rows = session.acquisitions.order_by("label", "copy").values_list("label", "copy", "pk")
    return [pk for _, _, pk in sorted(rows, key=lambda row: (natural(row[0]), row[1]))]


def current_files(**parent: Any) -> QuerySet[FileVersion]:
    """The newest version of every file that stands directly on a container, each with its file."""
    level, container = next(iter(parent.items()))
    found = FileVersion.objects.filter(number=F("file__version"), **{f"file__{level}": container})
    return found.select_related("file")


@dataclass(frozen=True, slots=True)
class Content:
    """What an acquisition holds: bytes of the newest versions, instances of its DICOM, one file to show."""

    files: int
    bytes: int
    instances: int
    modality: str
    picture: int | None


NOTHING = Content(files=0, bytes=0, instances=0, modality="", picture=None)


def contents(acquisition_ids: Sequence[int]) -> dict[int, Content]:
    """By the acquisition's id, in one query; what holds nothing is left out."""
    dicom = Q(file__type=DICOM)
    grouped = (
        FileVersion.objects.filter(number=F("file__version"), file__acquisition__in=acquisition_ids)
        .order_by()
        .values("file__acquisition")
        .annotate(
            held=Count("pk"),
            bytes=Sum("size"),
            instances=Sum("members", filter=dicom, default=0),
            kind=Coalesce(Min("file__modality", filter=dicom), Value("")),
            shown=Min("file", filter=dicom),
        )
        .values_list("file__acquisition", "held", "bytes", "instances", "kind", "shown")
    )
    return {acquisition: Content(*held) for acquisition, *held in grouped}


@dataclass(frozen=True, slots=True)
class Member:
    """One line of an archive's manifest. `size` in bytes, `digest` SHA-256, `source` the path that it came from."""

    name: str
    size: int
    digest: str
    source: str


def members(version: FileVersion) -> list[Member]:
    """What is inside an archive, in the manifest's order; nothing for any other file."""
    found = Manifest.objects.filter(version=version).values_list("lines", flat=True).first()
    if found is None:
        return []
    return [Member(one.name, one.size, one.sha256, one.key) for one in from_lines(found)]


@dataclass(frozen=True, slots=True)
class Found:
    """Answers to a search over all that the actor sees, the first few of each kind."""

    subjects: Sequence[Subject]
    sessions: Sequence[Session]
    acquisitions: Sequence[Acquisition]

    def __bool__(self) -> bool:
        return bool(self.subjects or self.sessions or self.acquisitions)


def search(actor: Actor, *, words: str) -> Found:
    """Subjects by a part of the label; sessions by accession number or study UID, acquisitions by series UID."""
    return Found(
        subjects=list(subjects(actor).filter(label__icontains=words)[:FOUND]),
        sessions=list(sessions(actor).filter(_named(words) | Q(accession_number=words))[:FOUND]),
        acquisitions=list(acquisitions(actor).filter(_named(words))[:FOUND]),
    )


def _named(words: str) -> Q:
    """The second half lets the database take the index that leaves out empty UIDs."""
    return Q(uid=words) & ~Q(uid="")


def container(file: File) -> Project | Subject | Session | Acquisition:
    """Where a file stands."""
    found = next(filter(None, (getattr(file, level) for level in PARENTS)))
    assert isinstance(found, Project | Subject | Session | Acquisition)  # noqa: S101  # A check constraint of File.
    return found


def _count(rows: Any, parent: str) -> Coalesce:
    """How many rows point to each of the outer query's."""
    counted = rows.filter(**{parent: OuterRef("pk")}).order_by().values(parent).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)
