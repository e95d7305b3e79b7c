"""first_start.py FOLDER: what has to be there before the first page is shown; run at every start, does it once.

The tables, and, in an installation that has no drop folder at all, the given folder as the first one, with a project
for what arrives in it.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402

from watcher.models import DropFolder  # noqa: E402

PROJECT = "main/Inbox"


def main(folder: str) -> None:
    call_command("migrate", interactive=False)
    if not DropFolder.objects.exists():
        call_command("drop_folder", "add", folder, "--project", PROJECT, "--create")


if __name__ == "__main__":
    main(sys.argv[1])
