"""One test run: its own home, its own database, its own places. Nothing here touches an installation's state.

The database is the one that DATABASE_URL names (docs: CONTRIBUTING.md, "Tests"), else a SQLite file: other
processes that a test starts must see it. What those processes need is in the fixture `environment`.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
HOME = Path(tempfile.mkdtemp(prefix="pratique-test-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

if "django" in sys.modules and os.environ.get("DJANGO_SETTINGS_MODULE"):
    raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the tests choose their settings themselves.")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ["PRATIQUE_HOME"] = str(HOME)
os.environ.setdefault("SECRET_KEY", "only-for-tests")
# Processes that a test starts have to read what the test encrypted.
os.environ.setdefault("PRATIQUE_SECRET_KEYS", "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtLTE=")
sys.path.insert(0, str(ROOT))

from django.conf import settings  # noqa: E402

pytest_plugins = ["storages.tests.spots"]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
ON_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")


def _settings_for_tests() -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    # Found as asked for: no scan of every static file per client, and no collectstatic first.
    settings.WHITENOISE_AUTOREFRESH = True
    if ON_SQLITE:
        settings.DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}
        settings.DATABASES["default"]["OPTIONS"]["init_command"] = (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
        )
    if settings.CELERY_BROKER_URL.startswith("redis"):
        settings.CELERY_BROKER_URL = _redis_of_this_worker(settings.CELERY_BROKER_URL)


def _redis_of_this_worker(url: str) -> str:
    """Test processes side by side must not take each other's messages."""
    return f"{url.rstrip('/').rsplit(':', 1)[0]}:{url.rstrip('/').rsplit(':', 1)[1].split('/')[0]}/{WORKER}"


_settings_for_tests()


def pytest_addoption(parser) -> None:
    parser.addoption("--only-database", action="store_true", help="only tests that use the database or the broker")


def pytest_configure(config) -> None:
    """Who only hands out tests to workers leaves it to them to choose their settings, each with a home of its own."""
    if config.getoption("numprocesses", None):
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_modifyitems(config, items) -> None:
    """A second run on another database need not repeat what no database can change."""
    if config.getoption("--only-database"):
        config.hook.pytest_deselected(items=[item for item in items if not _uses_database(item)])
        items[:] = [item for item in items if _uses_database(item)]


def _uses_database(item) -> bool:
    return (
        bool(item.get_closest_marker("django_db"))
        or "db" in item.fixturenames
        or "transactional_db" in item.fixturenames
    )


@dataclass(frozen=True, slots=True)
class Places:
    """The folders behind the archive, the quarantine and staging, for one test."""

    archive: Path
    quarantine: Path
    staging: Path


@pytest.fixture
def places(tmp_path, settings) -> Iterator[Places]:
    from storages.places import place

    place.cache_clear()
    found = Places(tmp_path / "archive", tmp_path / "quarantine", tmp_path / "staging")
    settings.PRATIQUE_ARCHIVE_URL = f"file://{found.archive}"
    settings.PRATIQUE_QUARANTINE_URL = f"file://{found.quarantine}"
    settings.PRATIQUE_STAGING_URL = f"file://{found.staging}"
    yield found
    place.cache_clear()


@pytest.fixture
def environment(transactional_db, places, settings) -> dict[str, str]:
    """What a process started by a test needs to work on this test's database, broker and places.

    The broker starts empty: what earlier tests enqueued, nobody is to run.
    """
    _empty_broker()
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": _database_url(),
        "PRATIQUE_HOME": str(HOME),
        "PRATIQUE_BROKER_URL": ""
        if settings.CELERY_BROKER_URL.startswith("filesystem")
        else settings.CELERY_BROKER_URL,
        "PRATIQUE_ARCHIVE_URL": settings.PRATIQUE_ARCHIVE_URL,
        "PRATIQUE_QUARANTINE_URL": settings.PRATIQUE_QUARANTINE_URL,
        "PRATIQUE_STAGING_URL": settings.PRATIQUE_STAGING_URL,
        "PYTHONWARNINGS": "default",
    }


def _database_url() -> str:
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if ON_SQLITE:
        return f"sqlite:///{name}"
    before, _, after = os.environ["DATABASE_URL"].partition("?")
    return f"{before.rsplit('/', 1)[0]}/{name}{'?' + after if after else ''}"


def _empty_broker() -> None:
    from config import celery_app

    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        for message in (HOME / "broker" / "queue").glob("*"):
            message.unlink(missing_ok=True)
        return
    with celery_app.connection() as connection:
        connection.default_channel.queue_purge("celery")


@pytest.fixture
def dicom_study(tmp_path) -> Path:
    """A folder of 17 real DICOM files of one patient: three MR studies, seven series, some in shared folders."""
    source = shipped_dicom() / "dicomdirtests" / "98892003"
    return Path(shutil.copytree(source, tmp_path / "98892003", copy_function=shutil.copyfile))


def shipped_dicom() -> Path:
    """The folder of test files in pydicom's wheel: good, odd and broken ones. Copy before you change any."""
    import pydicom.data

    return Path(pydicom.data.__file__).parent / "test_files"


@pytest.fixture
def project(db):
    """The project `lab/Brain`."""
    from hierarchy.models import Group, Project

    return Project.objects.create(group=Group.objects.create(name="lab", label="The lab"), label="Brain")


@dataclass(frozen=True, slots=True)
class People:
    """A user per role on the project `lab/Brain`, a stranger without any, and the site's admin."""

    viewer: object
    uploader: object
    data_manager: object
    admin: object
    stranger: object
    site_admin: object


@pytest.fixture
def people(project) -> People:
    from django.contrib.auth import get_user_model

    from hierarchy.models import Membership, Role

    users = get_user_model().objects

    def member(role: str) -> object:
        user = users.create_user(role, f"{role}@example.org", "correct horse")
        Membership.objects.create(user=user, project=project, role=role)
        return user

    return People(
        **{role.value: member(role.value) for role in Role},
        stranger=users.create_user("stranger", "stranger@example.org", "correct horse"),
        site_admin=users.create_superuser("site-admin", "site-admin@example.org", "correct horse"),
    )
