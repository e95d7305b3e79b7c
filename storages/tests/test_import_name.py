"""Two packages share the name `storages`: ours and django-storages'. Both have to stay importable."""

import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import storages

HERE = Path(storages.__file__).parent


def theirs():
    return {Path(f).parts[1].removesuffix(".py") for f in files("django-storages") if f.parts[0] == "storages"}


def ours(folder):
    return {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}


def hidden(folder):
    return (ours(folder) & theirs()) - {"__init__", "__pycache__"}


def test_no_module_of_ours_hides_one_of_theirs():
    assert hidden(HERE) == set()


def test_the_guard_would_notice_each_kind_of_clash(tmp_path):
    (tmp_path / "utils.py").touch()
    (tmp_path / "backends").mkdir()
    (tmp_path / "places.py").touch()
    assert hidden(tmp_path) == {"utils", "backends"}


def test_the_library_has_the_modules_that_the_guard_is_about():
    assert {"base", "compress", "utils", "backends"} <= theirs()


def test_both_halves_can_be_imported_side_by_side_in_a_fresh_process():
    code = (
        "import storages.places, storages.backends.s3, storages.utils; print(storages.backends.s3.S3Storage.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {code}"],
        capture_output=True, text=True, check=False, cwd=HERE.parent,
    )  # fmt: skip
    assert done.stdout.strip() == "S3Storage", done.stderr


def test_ours_is_found_before_theirs():
    from storages import places
    from storages.backends.s3 import S3Storage

    assert Path(places.__file__).parent == HERE
    assert HERE not in Path(sys.modules[S3Storage.__module__].__file__).parents


def test_the_app_is_named_by_its_dotted_path(settings):
    assert "storages.apps.StoragesConfig" in settings.INSTALLED_APPS
    assert "storages" not in settings.INSTALLED_APPS
