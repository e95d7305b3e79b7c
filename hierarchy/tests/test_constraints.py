"""Each rule of the tree, asked of the database itself: rows go in as SQL, past every check in Python."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from hierarchy.models import Acquisition, File, FileVersion, Group, Membership, Project, Session, Subject
from hierarchy.tests.factories import (
    NOW,
    make_acquisition,
    make_file,
    make_group,
    make_project,
    make_session,
    make_subject,
    make_user,
    make_version,
)
from storages.tests.rows import make_storage

pytestmark = pytest.mark.django_db


def insert(model, **columns):
    """One row by SQL; columns not named get the model's own defaults."""
    defaults = {}
    for field in model._meta.concrete_fields:
        if field.has_default():
            defaults[field.attname] = field.get_default()
        elif isinstance(field, models.DateTimeField) and not field.null:
            defaults[field.attname] = NOW
        elif isinstance(field, models.CharField | models.TextField) and field.blank:
            defaults[field.attname] = ""
    values = {name: value for name, value in (defaults | columns).items() if name != "id" or "id" in columns}
    if model is FileVersion:
        values.setdefault("id", uuid.uuid4())
    prepared = [model._meta.get_field(n).get_db_prep_save(v, connection) for n, v in values.items()]
    names = ", ".join(connection.ops.quote_name(model._meta.get_field(n).column) for n in values)
    marks = ", ".join(["%s"] * len(values))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({marks})", prepared)


def group(**changes):
    insert(Group, **({"name": "lab"} | changes))


def project(**changes):
    changes.setdefault("group_id", make_group().pk)
    insert(Project, **({"label": "Trial"} | changes))


def subject(**changes):
    changes.setdefault("project_id", make_project().pk)
    insert(Subject, **({"label": "01"} | changes))


def session(**changes):
    changes.setdefault("subject_id", make_subject().pk)
    insert(Session, **({"label": "Visit"} | changes))


def acquisition(**changes):
    changes.setdefault("session_id", make_session().pk)
    insert(Acquisition, **({"label": "T1w"} | changes))


def file(**changes):
    insert(File, **({"name": "a.nii"} | changes))


def version(**changes):
    changes.setdefault("file_id", make_file().pk)
    values = {"number": 1, "size": 3, "digest": "ab", "digest_of": "content", "path": "x/y", "created_at": NOW}
    insert(FileVersion, **(values | changes))


def reference(**changes):
    version(reference=True, storage_id=make_storage(label=f"scans {uuid.uuid4().hex}").pk, **changes)


def membership(**changes):
    changes.setdefault("user_id", make_user().pk)
    insert(Membership, **({"role": "viewer"} | changes))


def twice(insertion, **columns):
    insertion(**columns)
    insertion(**columns)


MOMENT = {"timestamp": NOW, "timestamp_offset": 60}
REFUSED = {
    "group_name_well_formed": lambda: group(name="No Spaces"),
    "group_name_well_formed ": lambda: group(name="lab\n"),
    "group_name_well_formed  ": lambda: group(name="x"),
    "project_label_once_per_group": lambda: twice(project, group_id=make_group().pk),
    "project_has_label": lambda: project(label=""),
    "project_uid_scope_known": lambda: project(uid_scope="x"),
    "subject_label_once_per_project": lambda: twice(subject, project_id=make_project().pk),
    "subject_has_label": lambda: subject(label=""),
    "subject_sex_known": lambda: subject(sex="x"),
    "subject_type_known": lambda: subject(type="x"),
    "session_label_once_per_subject": lambda: twice(session, subject_id=make_subject().pk),
    "session_has_label": lambda: session(label=""),
    "session_timestamp_whole": lambda: session(timestamp=NOW),
    "session_offset_possible": lambda: session(**MOMENT | {"timestamp_offset": 1440}),
    "acquisition_label_once_per_session": lambda: twice(acquisition, session_id=make_session().pk),
    "acquisition_has_label": lambda: acquisition(label=""),
    "acquisition_timestamp_whole": lambda: acquisition(timestamp_offset=0),
    "acquisition_offset_possible": lambda: acquisition(**MOMENT | {"timestamp_offset": -1440}),
    "file_has_one_parent": file,
    "file_has_one_parent ": lambda: file(project_id=make_project().pk, subject_id=make_subject().pk),
    "file_has_one_parent  ": lambda: file(session_id=make_session().pk, acquisition_id=make_acquisition().pk),
    "file_has_name": lambda: file(project_id=make_project().pk, name=""),
    "file_version_counts_from_one": lambda: file(project_id=make_project().pk, version=0),
    "file_name_once_per_project": lambda: twice(file, project_id=make_project().pk),
    "file_name_once_per_subject": lambda: twice(file, subject_id=make_subject().pk),
    "file_name_once_per_session": lambda: twice(file, session_id=make_session().pk),
    "file_name_once_per_acquisition": lambda: twice(file, acquisition_id=make_acquisition().pk),
    "version_number_once_per_file": lambda: [version(file_id=make_version(file=f).file_id) for f in [make_file()]],
    "own_bytes_have_one_row": lambda: twice(version, path="g/p/one"),
    "version_counts_from_one": lambda: version(number=0),
    "version_has_members": lambda: version(members=0),
    "version_digest_kind_known": lambda: version(digest_of="guess"),
    "version_digest_present_when_read": lambda: version(digest=""),
    "version_digest_present_when_read ": lambda: reference(digest_of="unread"),
    "version_reference_has_storage": lambda: version(reference=True),
    "version_reference_has_storage ": lambda: version(storage_id=make_storage().pk),
    "version_own_bytes_were_read": lambda: version(digest="", digest_of="unread"),
    "version_own_bytes_were_read ": lambda: version(stamp="ab"),
    "version_own_bytes_were_read  ": lambda: version(link="g/p/one"),
    "membership_role_known": lambda: membership(role="owner"),
    "membership_one_scope": lambda: membership(project_id=make_project().pk, group_id=make_group().pk),
    "one_role_per_project": lambda: twice(membership, user_id=make_user().pk, project_id=make_project().pk),
    "one_role_per_group": lambda: twice(membership, user_id=make_user().pk, group_id=make_group().pk),
    "one_role_per_site": lambda: twice(membership, user_id=make_user().pk),
}


def constraints():
    return {c.name: c for model in apps.get_app_config("hierarchy").get_models() for c in model._meta.constraints}


def named(constraint):
    """How the database names it: SQLite tells a unique constraint by its columns."""
    if connection.vendor == "sqlite" and isinstance(constraint, models.UniqueConstraint):
        model = next(m for m in apps.get_models() if constraint in m._meta.constraints)
        return ", ".join(f"{model._meta.db_table}.{model._meta.get_field(f).column}" for f in constraint.fields)
    return constraint.name


@pytest.mark.parametrize("case", REFUSED)
def test_the_database_refuses_what_breaks_a_rule(case):
    with pytest.raises(IntegrityError) as refusal:
        REFUSED[case]()
    assert named(constraints()[case.strip()]) in str(refusal.value)


def test_every_rule_of_the_tree_has_a_case_here():
    assert set(constraints()) == {case.strip() for case in REFUSED}


def test_a_group_name_is_taken_once():
    with pytest.raises(IntegrityError):
        twice(group)


def test_a_deliberate_twin_is_allowed_on_every_level():
    for insertion, parent in (
        (subject, {"project_id": make_project().pk}),
        (session, {"subject_id": make_subject().pk}),
        (acquisition, {"session_id": make_session().pk}),
    ):
        insertion(**parent)
        insertion(**parent, copy=1)
    assert Acquisition.objects.filter(copy=1).count() == 1


def test_one_name_may_stand_on_all_four_levels_and_under_two_parents_of_one():
    parents = [make_project, make_project, make_subject, make_session, make_acquisition]
    for make in parents:
        made = make()
        file(**{f"{made._meta.model_name}_id": made.pk})
    assert File.objects.filter(name="a.nii").count() == len(parents)


def test_two_references_may_name_the_same_bytes():
    twice(version, reference=True, storage_id=make_storage().pk, path="provider/one")
    assert FileVersion.objects.filter(reference=True).count() == 2


def test_what_is_not_read_yet_has_no_digest():
    reference(digest_of="unread", digest="")
    assert FileVersion.objects.get().digest == ""


def test_a_container_with_something_in_it_is_not_deleted():
    made = make_version().file.acquisition.session.subject.project
    with pytest.raises(models.ProtectedError):
        made.delete()


@pytest.mark.parametrize(
    ("minutes", "zone"), [(-300, "UTC-05:00"), (330, "Asia/Kolkata"), (0, "UTC"), (840, "UTC+14:00")]
)
@pytest.mark.parametrize("level", ["session", "acquisition"])
def test_a_moment_comes_back_with_its_offset_and_its_zone(level, minutes, zone):
    recorded = datetime(2019, 12, 31, 23, 30, 1, 250_000, tzinfo=timezone(timedelta(minutes=minutes)))
    make = {"session": make_session, "acquisition": make_acquisition}[level]
    made = make(timestamp=recorded, timestamp_offset=minutes, timestamp_zone=zone)
    made.refresh_from_db()
    assert made.moment.isoformat() == recorded.isoformat()
    assert made.timestamp == recorded.astimezone(UTC)
    assert made.timestamp_zone == zone


def test_without_a_timestamp_there_is_no_moment():
    assert make_session().moment is None
