"""What the commands that import from somewhere have in common: where to, how, and what is refused."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User

from hierarchy.models import Project
from hierarchy.services import ensure_project, find_project
from importer.core.states import MissingMeta, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.management.rules import add_rule_options
from importer.management.running import add_running_options, check_running_options, refuse

# Options of the contract whose work is not built yet: refused, never ignored.
NOT_BUILT = {"fail_fast": "--fail-fast", "deidentify": "--deidentify"}


def add_import_options(parser: ArgumentParser, *, transfer: str, acknowledge: str, checksum: str) -> None:
    """The three texts are helps: of options that mean something else for each source."""
    add_settings(parser, transfer=transfer, acknowledge=acknowledge, checksum=checksum)
    parser.add_argument("--label", help="what the import is called (default: as its source)")
    add_running_options(parser)


def add_settings(parser: ArgumentParser, *, transfer: str, acknowledge: str, checksum: str) -> None:
    """Where an import goes and how it is done, now or by a schedule."""
    parser.add_argument("--project", required=True, metavar="GROUP/PROJECT", help="where it goes")
    parser.add_argument("--create", action="store_true", help="make the group and the project if they are missing")
    parser.add_argument("--description", default="")
    add_rule_options(parser)
    parser.add_argument(
        "--conflict-strategy", help="default: as the rules say, else review", choices=[s.value for s in Strategy]
    )
    parser.add_argument(
        "--uid-scope",
        help="where a UID may be only once (default: as the rules say, else the project)",
        choices=[s.value for s in UidScope],
    )
    parser.add_argument(
        "--missing-meta",
        help="what happens to DICOM without a label (default: as the rules say, else hold)",
        choices=[m.value for m in MissingMeta],
    )
    parser.add_argument("--limit", type=int, metavar="N", help="look at the first N files only")
    parser.add_argument("--transfer", default=Transfer.AUTO, choices=[t.value for t in Transfer], help=transfer)
    parser.add_argument("--acknowledge", action="store_true", help=acknowledge)
    parser.add_argument(
        "--delete-source",
        default=DeleteSource.NEVER,
        choices=[d.value for d in DeleteSource],
        help="on_success: when all of it is stored, or equal to what is, and that was read again",
    )
    parser.add_argument("--checksum", action="store_true", help=checksum)
    parser.add_argument("--dry-run", action="store_true", help="plan, report, write nothing")
    for name, flag in NOT_BUILT.items():
        parser.add_argument(flag, dest=name, action="append", help="not built yet")


def check_import_options(options: dict[str, Any]) -> None:
    """Before anything is made. Exits with 2."""
    check_settings(options)
    check_running_options(options)


def check_settings(options: dict[str, Any]) -> None:
    """Exits with 2."""
    for name, flag in NOT_BUILT.items():
        if options[name]:
            refuse(f"{flag} is not built yet: leave it out.")
    if options["limit"] is not None and options["limit"] < 1:
        refuse("--limit takes a number above 0.")


def project_asked(options: dict[str, Any], *, actor: User | None) -> Project:
    if options["create"]:
        return ensure_project(options["project"], actor=actor)
    return find_project(options["project"], actor=actor)


def request_asked(options: dict[str, Any], *, label: str) -> dict[str, Any]:
    """Fields of an ImportRequest; `label` is for an import that is not called anything."""
    return {
        "label": options["label"] or label,
        "description": options["description"],
        **settings_asked(options),
    }


def settings_asked(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "transfer": Transfer(options["transfer"]),
        "delete_source": DeleteSource(options["delete_source"]),
        "checksum": options["checksum"],
        "strategy": Strategy(options["conflict_strategy"]) if options["conflict_strategy"] else None,
        "uid_scope": UidScope(options["uid_scope"]) if options["uid_scope"] else None,
        "missing_meta": MissingMeta(options["missing_meta"]) if options["missing_meta"] else None,
        "limit": options["limit"],
        "dry_run": options["dry_run"],
    }
