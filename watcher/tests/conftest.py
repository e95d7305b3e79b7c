"""A root, a drop folder, and a watcher as a process. The models are imported late: Django is not ready yet."""

import pytest


@pytest.fixture
def daemon(environment, tmp_path):
    from watcher.tests.running import Daemon

    home = tmp_path / "home"
    home.mkdir()
    found = Daemon(environment=environment | {"PRATIQUE_HOME": str(home)}, home=home)
    yield found
    found.end()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


@pytest.fixture
def folder(project, places, root):
    from watcher.models import DropFolder

    return DropFolder.objects.create(name="ct", path=str(root), project=project, quiet_seconds=1, scan_seconds=60)
