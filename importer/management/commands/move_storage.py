"""Says that all of a storage was moved: to another folder or bucket, or to another disk under the same name."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from hierarchy.errors import NotAllowed, Refused
from importer import storage_services
from importer.management.running import actor_named, refuse
from importer.services import who_is
from importer.storage_queries import find


class Command(BaseCommand):
    help = (
        "Tell that all of a storage was moved as a whole. Some of what was imported from it is looked for there first; "
        "nothing is imported again. Exit status: 0 done, 2 refused, and nothing is changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("storage", metavar="STORAGE", help="its label or number")
        parser.add_argument(
            "bucket",
            metavar="PLACE",
            nargs="?",
            default="",
            help="the folder or bucket; without it, the same as before",
        )
        parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user, with their rights")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = actor_named(options["actor"])
        who = who_is(actor) if actor else "system"
        try:
            storage = find(actor, options["storage"])
            moved = storage_services.move(storage.pk, options["bucket"], actor=actor, who=who, now=timezone.now())
        except (Refused, NotAllowed) as error:
            refuse(str(error))
        self.stdout.write(
            f"{moved.label} is at {moved.address} now: verify reads it there, and nothing is imported again."
        )
