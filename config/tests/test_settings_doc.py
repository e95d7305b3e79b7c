"""docs/settings.md and the code tell the same."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = ("config", "hierarchy", "importer", "storages", "watcher")
READERS = {"envstr", "envbool", "envint", "envlist", "envsecret"}
DOC = (ROOT / "docs" / "settings.md").read_text()
OURS, COMPOSE_ONLY = DOC.split("## Only for `docker compose`")


def sources() -> list[Path]:
    found = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    return [path for path in found if "tests" not in path.parts]


def read_by_the_code() -> dict[str, str]:
    """Every variable's name with the function that reads it."""
    found = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS:
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    found[name.value] = node.func.id
    return found


def rows(text: str) -> dict[str, str]:
    """First cell's variable -> the rest of that cell."""
    return dict(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`([^|]*)\|", text, re.MULTILINE))


def test_every_variable_that_the_code_reads_is_in_the_doc_and_no_other():
    assert set(rows(OURS)) == set(read_by_the_code())


def test_the_doc_calls_secret_what_may_come_from_a_file():
    secret = {name for name, reader in read_by_the_code().items() if reader == "envsecret"}
    assert {name for name, rest in rows(OURS).items() if "(secret)" in rest} == secret


def test_what_only_compose_reads_is_read_by_compose_only():
    in_compose = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert set(rows(COMPOSE_ONLY)) == in_compose - set(read_by_the_code())


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile"])
def test_every_variable_that_a_container_gets_is_one_that_is_read(file):
    foreign = r"POSTGRES_|MINIO_|PYTHON|PIP_"
    text = (ROOT / file).read_text()
    set_there = (
        set(re.findall(r"^\s+([A-Z][A-Z0-9_]+): ", text, re.MULTILINE))
        if file.endswith("yml")
        else set(re.findall(r"^\s+([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    )
    known = read_by_the_code()
    secrets = {f"{name}_FILE" for name, reader in known.items() if reader == "envsecret"}
    ours = {name for name in set_there if not re.match(foreign, name)} - {"UID", "GID"}
    assert ours
    assert ours <= set(known) | secrets
