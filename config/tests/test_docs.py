"""What the docs tell people to type and to open is there."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

ROOT = Path(settings.BASE_DIR)
DOCS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((ROOT / "docs").glob("*.md"))
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("doc", DOCS, ids=names)
def test_every_target_of_make_that_is_named_exists(doc):
    asked = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", doc.read_text(), re.MULTILINE))
    assert asked <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def commands_of_the_readme() -> set[str]:
    typed = re.findall(r"manage\.py (\w+)", README)
    table = [
        name for row in re.findall(r"^\| (`.*?) \|", README, re.MULTILINE) for name in re.findall(r"`(\w+_?\w*)", row)
    ]
    return {*typed, *table} - {"command", "list", "remove"}


@pytest.mark.parametrize("name", sorted(commands_of_the_readme()))
def test_every_command_of_the_readme_exists(name):
    command = load_command_class(get_commands()[name], name)
    assert command.create_parser("manage.py", name).format_help()


def test_the_options_that_the_readme_uses_are_taken():
    for line in re.findall(r"^ {4}\.venv/bin/python (manage\.py .+)$", README, re.MULTILINE):
        words = line.split()
        command = load_command_class(get_commands()[words[1]], words[1])
        command.create_parser("manage.py", words[1]).parse_args(words[2:])


@pytest.mark.parametrize("doc", DOCS, ids=names)
def test_every_file_that_a_doc_links_to_or_names_is_there(doc):
    text = doc.read_text()
    linked = {doc.parent / target for target in re.findall(r"\]\((?!http)([^)#]+)", text)}
    named = {
        ROOT / path
        for path in re.findall(r"`((?:config|docs|scripts|importer|hierarchy|watcher|storages)/[\w./-]+)`", text)
    }
    assert [path for path in linked | named if not path.exists()] == []


def test_every_doc_that_the_code_names_is_there():
    folders = ("config", "hierarchy", "importer", "storages", "watcher", "templates", "scripts", "bench", "docs")
    files = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".html", ".md"}
    ]
    named = {name for path in files for name in re.findall(r"docs/\w+\.md", path.read_text())}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_make_without_a_target_tells_what_there_is():
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"demo", "run", "test", "lint", "format", "bench"} <= set(re.findall(r"make (\w+)", said))
