"""manage.py rotate_secrets: encrypt all saved credentials with the first of PRATIQUE_SECRET_KEYS."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.env import new_encryption_key
from importer.storage_services import rotate
from storages.secrets import KeyMissing


class Command(BaseCommand):
    help = (
        "Encrypts the credentials of all storages again, with the first of PRATIQUE_SECRET_KEYS. Before: put a new key "
        "in front of the old ones and restart everything. After: take the old ones away and restart. It may be run "
        "twice, and while everything runs. Exit status 1 if a storage's credentials cannot be decrypted with any key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="print a new key, and do nothing else")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(new_encryption_key())
            return
        try:
            done, lost = rotate(now=timezone.now())
        except KeyMissing as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{done:,} storage{'' if done == 1 else 's'} encrypted with the first key.")
        if lost:
            raise CommandError(
                f"No key fits the credentials of: {', '.join(lost)}. Put their key back, or enter them again."
            )
