"""One conflict of each type, made by real imports of real DICOM; and deciding in this process."""

from django.utils import timezone

from hierarchy.models import Acquisition, Project, Session, Subject
from importer.core.states import ConflictType as T
from importer.models import Conflict, Resolution
from importer.pipeline.resolving import resolve
from importer.review import Verdict, decide, undo_decision
from importer.tests.pipeline.drive import imported, instance, put, put_series, worker


def file_name(project, folder):
    put_series(folder / "a", 2)
    imported(project, folder / "a")
    put_series(folder / "b", 3)
    imported(project, folder / "b")


def plain_file_name(project, folder):
    put(folder / "a" / "S" / "V" / "A" / "notes.txt", b"one")
    imported(project, folder / "a")
    put(folder / "b" / "S" / "V" / "A" / "notes.txt", b"two")
    imported(project, folder / "b")


def instance_uid(project, folder):
    put(folder / "a" / "1.dcm", instance(1))
    put(folder / "a" / "2.dcm", instance(1, PatientComments="another content"))
    imported(project, folder / "a")


def series_labels(project, folder):
    put(folder / "a" / "1.dcm", instance(1, SeriesDescription="t1"))
    put(folder / "a" / "2.dcm", instance(2, SeriesDescription="t2"))
    imported(project, folder / "a")


def uid_parent(project, folder):
    put_series(folder / "a", 2)
    imported(project, folder / "a")
    put_series(folder / "b", 2, patient="P0l", series=3, SeriesDescription="t3")
    put_series(folder / "b" / "more", 1, patient="P0l", series=2, SeriesDescription="t2")
    imported(project, folder / "b")


def uid_label(project, folder):
    put_series(folder / "a", 2)
    imported(project, folder / "a")
    Session.objects.update(label="curated")
    put_series(folder / "b", 2, series=2, SeriesDescription="t2")
    imported(project, folder / "b")


def label_uid(project, folder):
    put_series(folder / "a", 2, StudyDescription="ROUTINE")
    imported(project, folder / "a")
    put_series(folder / "b", 2, study=2, series=3, StudyDescription="ROUTINE", SeriesDescription="t3")
    put_series(folder / "b" / "more", 1, study=2, series=2, StudyDescription="ROUTINE", SeriesDescription="t2")
    imported(project, folder / "b")


def multiple_uid(project, folder):
    for label in ("P08", "P09"):
        subject = Subject.objects.create(project=project, label=label)
        Session.objects.create(subject=subject, label="study 1", uid="1.2.3.4.1")
    put_series(folder / "a", 2)
    imported(project, folder / "a")


def multiple_label(project, folder):
    subject = Subject.objects.create(project=project, label="P01")
    Session.objects.create(subject=subject, label="study 1", copy=0)
    Session.objects.create(subject=subject, label="study 1", copy=1)
    put_series(folder / "a", 2)
    imported(project, folder / "a")


def label_missing(project, folder):
    put_series(folder / "a", 2, patient=None)
    put_series(folder / "a" / "more", 1, patient=None, series=2, SeriesDescription="t2")
    imported(project, folder / "a")


MAKE = {
    T.FILE_NAME: file_name,
    T.INSTANCE_UID: instance_uid,
    T.SERIES_LABELS: series_labels,
    T.UID_PARENT: uid_parent,
    T.UID_LABEL: uid_label,
    T.LABEL_UID: label_uid,
    T.MULTIPLE_UID: multiple_uid,
    T.MULTIPLE_LABEL: multiple_label,
    T.LABEL_MISSING: label_missing,
}


def waiting(conflict_type=None):
    rows = Conflict.objects.filter(status="open").order_by("id")
    return rows.filter(type=conflict_type) if conflict_type else rows


def verdict(action, **fields):
    return Verdict(action=action, who="user ada@example.org", **fields)


def decided(rows, action, *, actor=None, **fields):
    """Decides and carries out; the resolution."""
    made = decide(rows, verdict(action, **fields), actor=actor, now=timezone.now(), enqueue=False)
    resolve(made.pk, worker=worker())
    return Resolution.objects.get(pk=made.pk)


def undone(decision, **fields):
    return undo_decision(
        decision.pk, **({"actor": None, "who": "user ada@example.org", "now": timezone.now()} | fields)
    )


def shape(project: Project):
    """Containers of the project, with copies and UIDs."""
    sessions = Session.objects.filter(subject__project=project)
    acquisitions = Acquisition.objects.filter(session__subject__project=project)
    return (
        sorted(Subject.objects.filter(project=project).values_list("label", "copy")),
        sorted(sessions.values_list("subject__label", "label", "copy", "uid")),
        sorted(acquisitions.values_list("session__subject__label", "session__label", "session__copy", "label", "uid")),
    )
