"""Rules that no tool knows, held by reading the source."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = ("config", "hierarchy", "importer", "storages", "watcher")


def sources() -> list[Path]:
    found = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    return [path for path in found if not {"tests", "migrations"} & set(path.parts)]


def test_only_one_module_reads_the_environment():
    allowed = {ROOT / "config" / "env.py"}
    # Django's own line in its three doors, which names the settings module and nothing else.
    line = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")'
    guilty = [
        path for path in sources()
        if path not in allowed and re.search(r"\bos\.(environ|getenv)|from os import .*environ", path.read_text().replace(line, ""))
    ]  # fmt: skip
    assert guilty == []


def test_status_has_one_writer():
    writer = ROOT / "importer" / "models" / "status.py"
    assigns = re.compile(r"\.status\s*=(?!=)|\bupdate\([^)]*\bstatus=|setattr\([^)]*[\"']status[\"']")
    guilty = [path for path in sources() if path != writer and assigns.search(path.read_text())]
    assert guilty == []


@pytest.mark.parametrize("name", ["utils", "helpers", "misc"])
def test_no_module_is_called_by_a_name_that_says_nothing(name):
    assert [path for path in sources() if path.stem == name] == []


def test_no_file_is_longer_than_400_lines():
    assert {path.name: n for path in sources() if (n := len(path.read_text().splitlines())) > 400} == {}


def test_nothing_is_left_for_later_in_a_comment():
    marker = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))
    assert [path for path in sources() if marker.search(path.read_text())] == []


def test_no_module_of_ours_hides_one_of_django_storages():
    hidden = {"base", "compress", "utils", "backends"}
    assert hidden & {path.stem for path in (ROOT / "storages").iterdir()} == set()
