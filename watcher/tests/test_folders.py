"""Adding, changing and removing drop folders, in code and from the shell."""

import json
import os
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Project
from watcher.folders import FolderOptions, add_folder, change_folder, remove_folder
from watcher.models import Batch, DropFolder

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def root(tmp_path, places, db):
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


def add(path, actor=None, **options):
    return add_folder(os.fsencode(path), FolderOptions(**options), actor=actor)


def shell(capsys, *words):
    capsys.readouterr()
    call_command(*words)
    return capsys.readouterr().out


def delivered(folder, label="ST"):
    return Batch.objects.create(
        drop_folder=folder,
        name=label,
        label=label,
        device="1",
        inode="1",
        fingerprint="00",
        found_by="scan",
        status="empty",
        seen_at=NOW,
        claimed_at=NOW,
        finished_at=NOW,
    )


def test_a_drop_folder_is_called_like_its_folder_unless_said_otherwise(root, tmp_path):
    (tmp_path / "other").mkdir()
    assert add(root).name == "drop"
    assert add(tmp_path / "other", name="MR").name == "MR"


def test_a_link_is_kept_as_what_it_points_to(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert add(tmp_path / "link").path == str(root)


def test_a_path_of_any_bytes_is_kept_exactly(root):
    path = os.path.join(os.fsencode(root), b"\xff\\xfe")
    os.mkdir(path)
    assert add_folder(path, FolderOptions(name="odd"), actor=None).path == f"{root}/\\xff\\x5cxfe"


def test_what_is_not_there_or_no_folder_is_refused(root):
    (root / "file").write_bytes(b"")
    for path in (root / "nowhere", root / "file"):
        with pytest.raises(Refused, match="is not a folder"):
            add(path)


def test_outside_the_allowed_roots_is_refused(root, settings, tmp_path):
    settings.PRATIQUE_LOCAL_ROOTS = [tmp_path / "allowed"]
    with pytest.raises(Refused, match="PRATIQUE_LOCAL_ROOTS"):
        add(root)


@pytest.mark.parametrize("place", ["archive", "quarantine", "staging"])
def test_inside_or_around_a_place_of_our_own_bytes_is_refused(root, places, place):
    inside = getattr(places, place) / "deep"
    inside.mkdir(parents=True)
    for path in (inside, inside.parent, root.parent):
        with pytest.raises(Refused, match="inside each other"):
            add(path)


def test_around_the_installations_own_state_is_refused(root, settings):
    settings.PRATIQUE_HOME = root / "home"
    with pytest.raises(Refused, match="own state"):
        add(root)


def test_inside_or_around_another_drop_folder_is_refused(root):
    (root / "a" / "b").mkdir(parents=True)
    add(root / "a")
    for path in (root, root / "a" / "b"):
        with pytest.raises(Refused, match="inside each other"):
            add(path, name="other")


def test_completion_marker_without_a_marker_is_refused(root):
    with pytest.raises(Refused, match="such as DONE"):
        add(root, completion="marker")


def test_an_admin_of_the_project_may_add_a_drop_folder_and_a_data_manager_may_not(root, people, project):
    with pytest.raises(NotAllowed):
        add(root, actor=people.data_manager, project=project)
    assert add(root, actor=people.admin, project=project).project == project


def test_without_a_project_only_an_admin_of_the_site_may(root, people):
    with pytest.raises(NotAllowed):
        add(root, actor=people.admin)
    assert add(root, actor=people.site_admin).project is None


def test_one_without_deliveries_is_removed_and_one_with_them_is_switched_off(root, tmp_path):
    (tmp_path / "other").mkdir()
    empty, used = add(root), add(tmp_path / "other")
    delivered(used)
    assert remove_folder(empty, actor=None)
    assert not remove_folder(used, actor=None)
    assert list(DropFolder.objects.values_list("name", "enabled")) == [("other", False)]


def test_one_that_was_switched_off_is_taken_up_again_with_its_history(root, project):
    folder = add(root)
    delivered(folder)
    remove_folder(folder, actor=None)
    again = add(root, project=project, quiet_seconds=5)
    assert (again.pk, again.enabled, again.project, again.quiet_seconds) == (folder.pk, True, project, 5)


def test_the_shell_makes_folder_group_and_project_when_asked(root, capsys):
    said = shell(capsys, "drop_folder", "add", str(root / "new"), "--project", "lab/New", "--create", "--quiet", "5")
    assert "goes into lab/New" in said
    assert (root / "new").is_dir()
    assert Project.objects.get().label == "New"
    assert DropFolder.objects.get().quiet_seconds == 5


def test_the_shell_says_that_deliveries_without_a_project_are_held(root, capsys):
    assert "held until it has a project" in shell(capsys, "drop_folder", "add", str(root))


def test_a_refusal_ends_with_status_2_and_the_reason(root):
    with pytest.raises(CommandError, match="is not a folder") as refused:
        call_command("drop_folder", "add", str(root / "nowhere"))
    assert refused.value.returncode == 2


def test_the_list_shows_the_newest_first_and_goes_on_after_an_id(root, capsys):
    for name in ("a", "b", "c"):
        (root / name).mkdir()
        add(root / name)
    rows = json.loads(shell(capsys, "drop_folder", "list", "--json", "--limit", "2"))
    assert [row["name"] for row in rows] == ["c", "b"]
    rows = json.loads(shell(capsys, "drop_folder", "list", "--json", "--after-id", str(rows[-1]["id"])))
    assert [row["name"] for row in rows] == ["a"]


def test_the_list_can_be_filtered_and_sorted(root, capsys, project):
    for name in ("ct1", "ct2", "mr"):
        (root / name).mkdir()
        add(root / name, project=project if name == "mr" else None)
    rows = json.loads(shell(capsys, "drop_folder", "list", "--json", "--filter", "name~CT", "--sort", "name"))
    assert [row["name"] for row in rows] == ["ct1", "ct2"]
    rows = json.loads(shell(capsys, "drop_folder", "list", "--json", "--filter", "project=Brain"))
    assert [row["name"] for row in rows] == ["mr"]


@pytest.mark.parametrize(
    "words", [["--filter", "colour=red"], ["--filter", "name"], ["--sort", "colour"], ["--filter", "id=x"]]
)
def test_a_list_that_cannot_be_made_is_refused(db, words):
    with pytest.raises(CommandError) as refused:
        call_command("drop_folder", "list", *words)
    assert refused.value.returncode == 2


def test_the_shell_removes_by_name_path_or_id(root, capsys):
    for name in ("a", "b", "c"):
        (root / name).mkdir()
        add(root / name)
    for said in ("a", str(root / "b"), str(DropFolder.objects.get(name="c").pk)):
        shell(capsys, "drop_folder", "remove", said)
    assert not DropFolder.objects.exists()


def test_the_shell_judges_names_as_the_watcher_does(capsys):
    said = shell(capsys, "drop_folder", "judge", "ST.TMP1", "ST", ".DS_Store")
    assert said.splitlines() == ["ST.TMP1: unfinished", "ST: ready name", ".DS_Store: ignored"]


def test_a_drop_folder_names_its_rules_and_asks_for_a_preview(root, project, capsys):
    words = ["drop_folder", "add", str(root), "--project", "lab/Brain"]
    shell(capsys, *words)
    assert "default rules" in shell(capsys, "drop_folder", "list")
    shell(capsys, "drop_folder", "remove", str(root))
    shell(capsys, *words, "--rule-set", "bids", "--preview")
    assert "\tbids, preview\t" in shell(capsys, "drop_folder", "list")
    (row,) = json.loads(shell(capsys, "drop_folder", "list", "--json", "--filter", "preview=true"))
    assert (row["rule_set"], row["preview"]) == ("bids", True)
    assert json.loads(shell(capsys, "drop_folder", "list", "--json", "--filter", "preview=false")) == []


def test_rules_that_no_delivery_could_have_are_refused(root, project, capsys):
    with pytest.raises(CommandError, match="Did you mean bids") as refusal:
        shell(capsys, "drop_folder", "add", str(root), "--project", "lab/Brain", "--rule-set", "bidz")
    assert refusal.value.returncode == 2
    assert not DropFolder.objects.exists()
    folder = add(root, project=project)
    with pytest.raises(Refused, match="Did you mean bids"):
        change_folder(folder, FolderOptions(project=project, rule_set="bidz"), actor=None)
