"""The ground that all other tests stand on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from hierarchy.models import Project
from storages.places import archive

ROOT = Path(settings.BASE_DIR)


def test_the_tests_keep_out_of_an_installation_s_home():
    assert settings.PRATIQUE_HOME != ROOT / "var"
    assert Path(os.environ["PRATIQUE_HOME"]).resolve() == settings.PRATIQUE_HOME


def test_places_lie_in_the_test_s_own_folder(places, tmp_path):
    assert archive().root == places.archive == tmp_path / "archive"


def test_a_process_that_a_test_starts_sees_the_rows_of_that_test(environment, project):
    found = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", "from hierarchy.models import *; print(Project.objects.get())"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == str(project)


@pytest.mark.django_db
def test_the_database_is_the_one_that_was_asked_for():
    asked = (os.environ.get("DATABASE_URL") or "sqlite").split(":")[0]
    assert connection.vendor == {"sqlite": "sqlite", "postgres": "postgresql", "postgresql": "postgresql"}[asked]


def test_people_have_a_role_each_on_the_project(people):
    roles = {m.user: m.role for m in Project.objects.get().memberships.select_related("user")}
    assert roles == {getattr(people, name): name for name in ("viewer", "uploader", "data_manager", "admin")}


def test_the_dicom_study_is_real_and_may_be_changed(dicom_study):
    files = [path for path in dicom_study.rglob("*") if path.is_file()]
    assert len(files) == 17
    assert all(path.read_bytes()[128:132] == b"DICM" and os.access(path, os.W_OK) for path in files)
