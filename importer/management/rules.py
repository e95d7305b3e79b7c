"""The options of commands that say which rules run, and how a wrong rule is told."""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from hierarchy.errors import Refused
from hierarchy.models import Project
from hierarchy.selectors import Actor
from importer.core.rules.additions import Additions, merged
from importer.core.rules.parsing import MOST_CHARACTERS, parse
from importer.core.rules.problems import Problem, RuleError
from importer.core.states import Level
from importer.management.running import refuse
from importer.rule_choice import BadRules, resolve
from importer.rule_sets import from_file

LEVELS: Final = (Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
# Option → field of Additions, and the key of a rules file under which such a line may be tried alone.
REPEATED: Final = {
    "--include": ("include", "include"),
    "--exclude": ("exclude", "exclude"),
    "--mapping": ("mappings", "mappings"),
    "--default": ("defaults", "defaults"),
    "--override": ("overrides", "overrides"),
}
_HELP: Final = {
    "--include": "only files for which one of these holds, such as 'path=~*.dcm'",
    "--exclude": "no file for which one of these holds",
    "--mapping": "before those of the rules, such as 'path={sub}/{ses}/{acq}/*'",
    "--default": "FIELD=VALUE where nothing else says it",
    "--override": "FIELD=VALUE whatever else says it; without a value the field stays empty",
}
_SET_KEYS: Final = {"include", "exclude"}


@dataclass(frozen=True, slots=True)
class RulesAsked:
    """As ImportRequest takes it: a name, or a text and what it is called."""

    name: str | None
    text: str = ""


def add_rule_options(parser: ArgumentParser) -> None:
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--rules", metavar="FILE", help="a file of rules, for this import alone")
    one.add_argument("--rule-set", metavar="NAME", help="default: that of the project, its group or the site")
    parser.add_argument("--level", choices=[level.value for level in LEVELS], help="of every rule")
    for option, (name, _) in REPEATED.items():
        parser.add_argument(option, dest=name, action="append", default=[], metavar="LINE", help=_HELP[option])


def rules_asked(options: dict[str, Any], project: Project, *, actor: Actor) -> RulesAsked:
    """Exits with 2 for what is wrong, naming the file, line and column, or the option."""
    additions = _additions(options)
    if not options["rules"] and not additions.any:
        return RulesAsked(options["rule_set"])
    if options["rules"]:
        name, text = read_rules(options["rules"])
    else:
        chosen = resolve(project, options["rule_set"], actor=actor)
        name, text = chosen.name, chosen.text
    return RulesAsked(f"{name} + options", _merged(text, additions)) if additions.any else RulesAsked(name, text)


def read_rules(path: str) -> tuple[str, str]:
    """Name and text of a file. Exits with 2."""
    try:
        name, _, text = from_file(file_bytes(path), path)
    except OSError as error:
        refuse(f"{path} cannot be read: {error.strerror}.")
    except BadRules as error:
        refuse("\n".join(placed(path, error.problems)))
    except Refused as error:
        refuse(f"{path}: {error}")
    return name, text


def file_bytes(path: str) -> bytes:
    """No more of it than tells that it is too long: also of a device, or of what another program writes."""
    with Path(path).open("rb") as file:
        return file.read(4 * MOST_CHARACTERS + 1)


def placed(source: str, problems: Iterable[Problem]) -> list[str]:
    """As compilers write it, so that editors find the place."""
    return [f"{source}:{one.line}:{one.column}: {one.said}" for one in problems]


def _additions(options: dict[str, Any]) -> Additions:
    for option, (name, key) in REPEATED.items():
        for count, line in enumerate(options[name], 1):
            _check(option, line, key, options[name][: count - 1])
    return Additions(
        level=Level(options["level"]) if options["level"] else None,
        **{name: tuple(options[name]) for name, _ in REPEATED.values()},
    )


def _check(option: str, line: str, key: str, before: Sequence[str]) -> None:
    """Each line is tried alone, behind those before it: then it is known which one is wrong."""
    rule: dict[str, Any] = {"type": "dicom"}
    whole: dict[str, Any] = {"rules": [rule]}
    (whole if key in _SET_KEYS else rule)[key] = [*before, line]
    try:
        parse(yaml.safe_dump(whole, allow_unicode=True, width=1000))
    except RuleError as error:
        refuse(f"{option} {line}: {error.problems[0].said}")


def _merged(text: str, additions: Additions) -> str:
    try:
        return merged(text, additions)
    except RuleError as error:
        refuse("The options and the rules do not go together: " + " ".join(one.said for one in error.problems))
