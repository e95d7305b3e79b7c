"""Rows for tests: plain functions, one call a row, every value may be given."""

import itertools
from datetime import UTC, datetime

from django.contrib.auth.models import User

from hierarchy.models import Acquisition, File, FileVersion, Group, Membership, Project, Session, Subject

_count = itertools.count(1)
NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


def make_user(name="", **changes):
    return User.objects.create(username=name or f"user{next(_count)}", **changes)


def make_group(name="", **changes):
    return Group.objects.create(name=name or f"group{next(_count)}", **changes)


def make_project(*, group=None, label="", **changes):
    return Project.objects.create(group=group or make_group(), label=label or f"Project {next(_count)}", **changes)


def make_subject(*, project=None, label="", **changes):
    return Subject.objects.create(project=project or make_project(), label=label or f"S{next(_count)}", **changes)


def make_session(*, subject=None, label="", **changes):
    return Session.objects.create(subject=subject or make_subject(), label=label or f"Visit {next(_count)}", **changes)


def make_acquisition(*, session=None, label="", **changes):
    return Acquisition.objects.create(
        session=session or make_session(), label=label or f"{next(_count)} - T1w", **changes
    )


def make_file(*, name="", **changes):
    if not {"project", "subject", "session", "acquisition"} & changes.keys():
        changes["acquisition"] = make_acquisition()
    return File.objects.create(name=name or f"file{next(_count)}.bin", **changes)


def make_version(*, file=None, number=1, **changes):
    values = {
        "size": 3,
        "digest": "ab" * 32,
        "digest_of": "content",
        "path": f"g/p/s/file{next(_count)}.bin",
        "created_at": NOW,
    }
    return FileVersion.objects.create(file=file or make_file(), number=number, **(values | changes))


def make_member(*, project=None, group=None, role="viewer", user=None, **user_changes):
    user = user or make_user(**user_changes)
    Membership.objects.create(user=user, project=project, group=group, role=role)
    return user
