"""The page about conflicts and the code say the same."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from importer.core.methods import Action, Word
from importer.core.states import ConflictType
from importer.models import ImportJob
from importer.selection import FIELDS
from importer.tests.review.cases import plain_file_name

PAGE = (Path(__file__).parents[3] / "docs" / "conflicts.md").read_text()
COMMANDS = re.findall(r"^\$ manage\.py (.+)$", PAGE, re.MULTILINE)


def test_every_type_action_word_and_field_is_on_the_page():
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    said = set(re.findall(r"`([^`]+)`", prose))
    assert {kind.value for kind in ConflictType} <= said
    assert {action.value for action in Action} | {word.value for word in Word} <= said
    assert set(FIELDS) <= said


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_is_understood(command, project, places, tmp_path, capsys):
    plain_file_name(project, tmp_path)
    name, *words = shlex.split(command.replace(" 7", f" {ImportJob.objects.latest('pk').pk}", 1))
    code, message = ending(name, *words)
    assert code in {0, 1, 3} or (code == 2 and re.search("Nothing that is open matches|does not fit", message))


def ending(*words):
    """Exit status and message of a command."""
    try:
        call_command(*words)
    except SystemExit as ended:
        return ended.code, ""
    except CommandError as refused:
        return refused.returncode, str(refused)
    return 0, ""
