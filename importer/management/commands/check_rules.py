"""Checks a file of rules, or a rule set by its name, and says what it makes of sample files."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from hierarchy.errors import Refused
from hierarchy.selectors import Actor, find_project
from importer.core.names import shown
from importer.core.rules.model import RuleSet
from importer.core.rules.problems import Problem
from importer.core.rules.samples import MOST_NAMES
from importer.core.rules.trials import Row
from importer.management.rules import file_bytes, placed
from importer.management.running import REFUSED, actor_named, refuse
from importer.rule_choice import BadRules, parsed
from importer.rule_sets import from_file
from importer.rule_trials import TAKEN, as_json, rules_named, tried_files
from importer.sampled import Looked, looked_at

ALL_TAKEN, NOT_ALL = 0, 1


@dataclass(frozen=True, slots=True)
class Checked:
    """`source` is the file as it was given, or the rule set's name."""

    source: str
    rules: RuleSet


class Command(BaseCommand):
    help = (
        "Check rules, and try them on files: what would become of each, by which rule, and why not by the others. "
        "Nothing is imported. Exit status: 2 refused or not well formed, 1 a sample was not taken, 0 all is well."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rules", metavar="FILE", help="a file of rules, or the name of a rule set")
        parser.add_argument("samples", nargs="*", metavar="SAMPLE", help="files and folders; headers are read")
        parser.add_argument("--project", metavar="GROUP/PROJECT", help="where a name is looked for")
        parser.add_argument("--root", metavar="DIR", help="what the samples' paths count from (default: the folder)")
        parser.add_argument("--json", action="store_true", help="for scripts")
        parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user, with their rights")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = actor_named(options["actor"])
        try:
            checked = _checked(options["rules"], options["project"], actor)
        except BadRules as error:
            self._tell_problems(options, error.problems)
        except (Refused, OSError) as error:
            refuse(str(error))
        if not options["samples"]:
            self._tell_fine(checked, as_data=options["json"])
            return
        try:
            looked = _looked(options, checked.rules)
        except Refused as error:
            refuse(str(error))
        self._tell(checked, list(tried_files(checked.rules, looked)), as_data=options["json"])

    def _tell_problems(self, options: dict[str, Any], problems: Iterable[Problem]) -> None:
        """On standard output, as a checker's findings are."""
        if options["json"]:
            found = [{"line": one.line, "column": one.column, "said": one.said} for one in problems]
            self._dump({"rules": options["rules"], "problems": found, "samples": []})
        else:
            self.stdout.write("\n".join(map(shown, placed(options["rules"], problems))))
        sys.exit(REFUSED)

    def _tell_fine(self, checked: Checked, *, as_data: bool) -> None:
        count = len(checked.rules.rules)
        if as_data:
            self._dump({"rules": checked.source, "count": count, "problems": [], "samples": []})
        else:
            self.stdout.write(f"{shown(checked.source)}: {count} rule{'' if count == 1 else 's'}, fine")

    def _tell(self, checked: Checked, rows: list[Row], *, as_data: bool) -> None:
        taken = sum(row.result.fate in TAKEN for row in rows)
        if as_data:
            count = len(checked.rules.rules)
            samples = [as_json(row) for row in rows]
            self._dump({"rules": checked.source, "count": count, "problems": [], "samples": samples})
        else:
            self._tell_rows(rows, taken=taken)
        sys.exit(ALL_TAKEN if taken == len(rows) else NOT_ALL)

    def _tell_rows(self, rows: list[Row], *, taken: int) -> None:
        try:
            for row in rows:
                self.stdout.write("\n".join(_lines(row)))
            self.stdout.write(f"{taken:,} of {len(rows):,} taken")
        except BrokenPipeError:
            # `| head` has seen enough.
            sys.stderr.close()

    def _dump(self, said: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(said, indent=2, ensure_ascii=False))


def _checked(said: str, address: str | None, actor: Actor) -> Checked:
    """A file where there is one, else a name."""
    if Path(said).exists() and not Path(said).is_dir():
        text = from_file(file_bytes(said), said)[2]
        return Checked(said, parsed(text))
    project = find_project(address, actor=actor) if address else None
    try:
        chosen = rules_named(said, project=project, actor=actor)
    except Refused as error:
        raise Refused(f"There is no file {said}. {error}") from error
    return Checked(chosen.name, parsed(chosen.text))


def _looked(options: dict[str, Any], rules: RuleSet) -> list[Looked]:
    every = (one for said in options["samples"] for one in looked_at(said, rules, root=options["root"]))
    looked = list(islice(every, MOST_NAMES + 1))
    if not looked:
        raise Refused("There are no files in these samples.")
    if len(looked) > MOST_NAMES:
        raise Refused(f"These are more than {MOST_NAMES:,} files: choose some of them, or a dry run.")
    return looked


def _lines(row: Row) -> Iterator[str]:
    """A block of lines for one file; values of tags stand in it, as in the archive."""
    result = row.result
    place = " / ".join(map(shown, result.place)) or shown(result.said)
    by = f"rule {result.rule}{f' ({shown(row.rule_name)})' if row.rule_name else ''}" if result.rule else "no rule"
    yield shown(row.path)
    yield f"  {result.fate.value:<8}  {place}  by {by}" if result.rule else f"  {result.fate.value:<8}  {place}"
    width = max((len(name) for name, _ in row.fields), default=0)
    for name, value in row.fields:
        yield f"    {name:<{width}}  {shown(value)}"
    for one in row.why:
        if not one.taken:
            named = f"rule {one.number}{f' ({shown(one.name)})' if one.name else ''}" if one.number else "all rules"
            yield f"    not {named}: {shown(one.said)}"
