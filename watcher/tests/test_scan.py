"""Passes over real folders, with a clock that the test turns."""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from watcher.deliveries import Known
from watcher.hints import NOTHING, Hint
from watcher.readiness import Policy
from watcher.recognition import VERIFY_EVERY
from watcher.scan import Root, RootScanner
from watcher.states import Completion, FoundBy

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Bench:
    """A root, its scanner, what the database would know, and the time."""

    def __init__(self, path, completion=Completion.AUTO, quiet=30.0, marker=b""):
        self.path, self.at, self.known = path, 0.0, {}
        self.policy = Policy(completion=completion, quiet_seconds=quiet, marker=marker)
        path.mkdir(exist_ok=True)
        self.restart()

    def restart(self):
        root = Root(id=1, name="ct", path=os.fsencode(self.path), policy=self.policy)
        self.scanner = RootScanner(root=root, clock=lambda: self.at)

    def look(self, hint=NOTHING, after=0.0):
        self.at += after
        return self.scanner.look(hint=hint, known=self.known)

    def drop(self, name, files=("a",), content=b"x"):
        folder = self.path / name
        folder.mkdir()
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        return folder

    def claim(self, name, batch_id=1, is_open=False):
        """Plays the database: the ready name becomes a batch, which is finished at once."""
        delivery = self.scanner.confirm(name, known=self.known, now=NOW)
        self.scanner.claimed(name)
        self.known[name] = Known(
            batch_id=batch_id,
            device=delivery.device,
            inode=delivery.inode,
            fingerprint=delivery.fingerprint,
            open=is_open,
        )
        return delivery

    def delivered(self, name="ST", files=("a",)):
        """A delivery that lies there, imported and recognised."""
        folder = self.drop(name, files)
        self.look(Hint(changed=True, renamed=frozenset({name.encode()})))
        self.claim(name.encode())
        self.look()
        return folder


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "root")


def names(look):
    return [one.name for one in look.waiting]


def test_nothing_is_taken_under_a_temporary_name_and_everything_after_its_rename(bench):
    folder = bench.drop("ST-000001.tmp2343", ("a", "b", "c"))
    assert bench.look().ready == ()
    assert bench.look(after=1000).ready == ()
    folder.rename(bench.path / "ST-000001")
    assert bench.look(after=60).ready == (b"ST-000001",)
    assert bench.claim(b"ST-000001").files == 3


def test_a_rename_that_happened_between_two_looks_counts_when_the_kernel_told_of_it(bench):
    bench.look()
    bench.drop("ST")
    look = bench.look(Hint(changed=True, renamed=frozenset({b"ST"})))
    assert look.ready == (b"ST",)
    assert bench.claim(b"ST").found_by is FoundBy.EVENT


def test_a_rename_told_of_late_still_ends_the_waiting(bench):
    bench.drop("ST")
    assert bench.look().ready == ()
    assert bench.look(Hint(changed=True, renamed=frozenset({b"ST"})), after=1).ready == (b"ST",)


def test_a_folder_filled_under_its_final_name_is_taken_whole(bench):
    bench.at, quiet = 0.0, 5.0
    bench.policy = replace(bench.policy, quiet_seconds=quiet)
    bench.restart()
    folder = bench.drop("ST", ())
    for number in range(30):
        (folder / f"{number}").write_bytes(b"x")
        assert bench.look(after=2).ready == ()
    written = bench.at
    while not bench.look(after=0.5).ready:
        pass
    assert bench.at >= written + quiet
    delivery = bench.claim(b"ST")
    assert delivery.files == 30
    assert (NOW - delivery.seen_at).total_seconds() == pytest.approx(bench.at - 2, abs=1)


def test_a_finished_folder_moved_in_waits_its_quiet_period(bench, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_bytes(b"x")
    bench.look()
    (tmp_path / "elsewhere").rename(bench.path / "ST")
    assert bench.look(Hint(changed=True), after=1).ready == ()
    assert bench.look(after=30).ready == (b"ST",)


def test_a_finished_folder_moved_in_is_taken_at_once_where_names_are_promised(tmp_path):
    bench = Bench(tmp_path / "root", Completion.RENAME)
    bench.drop("ST")
    assert bench.look().ready == (b"ST",)


def test_the_marker_makes_it_ready(tmp_path):
    bench = Bench(tmp_path / "root", Completion.MARKER, marker=b"DONE")
    folder = bench.drop("ST")
    bench.look()
    assert bench.look(after=5000).ready == ()
    (folder / "DONE").write_bytes(b"")
    assert bench.look(after=5).ready == (b"ST",)


def test_junk_is_no_delivery_and_not_reported(bench):
    for name in (".DS_Store", "._a", "Thumbs.db"):
        (bench.path / name).write_bytes(b"x")
    bench.drop("@eaDir")
    look = bench.look()
    assert (look.ready, look.waiting, look.loose, look.refused) == ((), (), (), ())


def test_a_link_at_the_top_is_reported_and_never_followed(bench, tmp_path):
    (tmp_path / "outside").mkdir()
    (bench.path / "link").symlink_to(tmp_path / "outside")
    (bench.path / "self").symlink_to(bench.path)
    look = bench.look()
    assert [name for name, _ in look.refused] == [b"link", b"self"]
    assert (look.ready, look.waiting) == ((), ())


def test_files_that_lie_in_the_root_itself_are_reported(bench):
    (bench.path / "IM0001.dcm").write_bytes(b"x")
    (bench.path / "IM0002.dcm.part").write_bytes(b"x")
    assert bench.look().loose == (b"IM0001.dcm",)


def test_a_root_that_is_missing_is_unhealthy_and_recovers_by_itself(bench):
    bench.drop("ST")
    bench.look()
    bench.path.rename(bench.path.with_name("away"))
    look = bench.look(after=60)
    assert (look.healthy, look.reason, look.ready) == (False, "The folder is not there.", ())
    bench.path.with_name("away").rename(bench.path)
    assert bench.look(after=1).ready == (b"ST",)


def test_a_root_replaced_by_a_link_is_unhealthy(bench, tmp_path):
    bench.path.rename(tmp_path / "real")
    bench.path.symlink_to(tmp_path / "real")
    assert not bench.look().healthy


def test_a_folder_renamed_before_its_claim_is_taken_under_its_new_name_alone(bench):
    folder = bench.drop("ST")
    bench.look()
    folder.rename(bench.path / "ST2")
    assert bench.look(after=30).vanished == 1
    assert bench.look(after=30).ready == (b"ST2",)


def test_a_delivery_that_is_being_imported_is_left_alone(bench):
    bench.drop("ST")
    bench.look(Hint(changed=True, renamed=frozenset({b"ST"})))
    bench.claim(b"ST", is_open=True)
    (bench.path / "ST" / "late").write_bytes(b"x")
    assert bench.look(after=100).waiting == ()


def test_a_finished_delivery_that_still_lies_there_is_not_taken_again(bench):
    bench.delivered()
    for _ in range(10):
        look = bench.look(after=100)
        assert (look.ready, look.waiting) == ((), ())


def test_a_finished_delivery_is_recognised_after_a_restart(bench):
    bench.delivered()
    bench.restart()
    for _ in range(3):
        look = bench.look(after=100)
        assert (look.ready, look.waiting) == ((), ())


def test_a_chmod_of_a_finished_delivery_is_no_new_one(bench):
    folder = bench.delivered()
    (folder / "a").chmod(0o600)
    folder.chmod(0o700)
    os.utime(folder)
    for _ in range(3):
        look = bench.look(after=100)
        assert (look.ready, look.waiting) == ((), ())


def test_a_finished_delivery_that_changed_at_its_top_is_a_new_one_once_it_is_quiet(bench):
    folder = bench.delivered()
    (folder / "b").write_bytes(b"x")
    assert names(bench.look(after=60)) == [b"ST"]
    assert bench.look(after=30).ready == (b"ST",)
    assert bench.claim(b"ST").files == 2


def test_a_change_deep_inside_a_finished_delivery_is_found_within_the_hour(bench):
    folder = bench.delivered(files=("series/a",))
    (folder / "series" / "b").write_bytes(b"x")
    assert bench.look(after=60).waiting == ()
    bench.look(after=VERIFY_EVERY)
    assert names(bench.look(after=60)) == [b"ST"]
    assert bench.look(after=60).ready == (b"ST",)


def test_a_change_made_deep_inside_while_nobody_watched_is_found_after_the_start(bench):
    folder = bench.delivered(files=("series/a",))
    (folder / "series" / "b").write_bytes(b"x")
    bench.restart()
    bench.look()
    assert names(bench.look(after=1)) == [b"ST"]


def test_with_promised_names_a_folder_changed_in_place_still_has_to_be_quiet(tmp_path):
    bench = Bench(tmp_path / "root", Completion.RENAME)
    folder = bench.delivered()
    (folder / "b").write_bytes(b"x")
    assert bench.look(after=60).ready == ()
    assert bench.look(after=30).ready == (b"ST",)


def test_the_same_content_dropped_again_as_another_folder_is_a_new_delivery(bench):
    folder = bench.delivered()
    os.system(f"cp -a {folder} {bench.path}/.copy")
    shutil.rmtree(folder)
    (bench.path / ".copy").rename(folder)
    bench.look(after=60)
    assert bench.look(after=60).ready == (b"ST",)


def test_a_whole_root_that_moved_to_another_device_is_no_heap_of_new_deliveries(bench):
    bench.delivered()
    bench.known[b"ST"] = replace(bench.known[b"ST"], device=99, inode=99, batch_id=7)
    bench.restart()
    look = bench.look()
    assert (look.ready, look.waiting) == ((), ())
    assert [batch_id for batch_id, _, _ in look.moved] == [7]


def test_what_has_left_the_root_is_told_by_its_batch(bench):
    folder = bench.delivered()
    assert bench.look().gone == ()
    shutil.rmtree(folder)
    assert bench.look().gone == (1,)


def test_nothing_has_left_a_root_that_is_not_mounted(bench):
    bench.delivered()
    bench.known[b"ST"] = replace(bench.known[b"ST"], device=99)
    shutil.rmtree(bench.path / "ST")
    assert bench.look().gone == ()


def test_an_empty_folder_is_an_empty_delivery_after_its_longer_wait(bench):
    bench.drop("ST", ())
    bench.look()
    assert bench.look(after=299).ready == ()
    assert bench.look(after=1).ready == (b"ST",)
    assert bench.claim(b"ST").empty


def test_a_delivery_that_changed_while_it_waited_for_its_turn_is_not_claimed(bench):
    folder = bench.drop("ST")
    bench.look(Hint(changed=True, renamed=frozenset({b"ST"})))
    (folder / "late").write_bytes(b"x")
    bench.at += 10
    assert bench.scanner.confirm(b"ST", known={}, now=NOW) is None
    bench.look()
    assert bench.look(after=30).ready == (b"ST",)
    assert bench.claim(b"ST").files == 2


def test_a_delivery_that_left_while_it_waited_for_its_turn_is_not_claimed(bench):
    folder = bench.drop("ST")
    bench.look(Hint(changed=True, renamed=frozenset({b"ST"})))
    shutil.rmtree(folder)
    bench.at += 10
    assert bench.scanner.confirm(b"ST", known={}, now=NOW) is None


def test_names_of_any_bytes_are_deliveries(bench):
    odd = {b"\xff\xfe", b"two\nlines", b"-rf", "\u202eabc".encode(), b"n" * 255, b"=1+1"}
    for name in odd:
        bench.drop(os.fsdecode(name))
    bench.look()
    assert set(bench.look(after=30).ready) == odd


def test_special_files_inside_hold_nothing_up(bench):
    folder = bench.drop("ST")
    os.mkfifo(folder / "fifo")
    bench.look()
    assert bench.look(after=30).ready == (b"ST",)


def test_what_was_there_before_the_first_look_was_found_at_the_start_and_the_rest_by_scans(bench):
    bench.drop("A")
    bench.look()
    bench.drop("B")
    bench.look(after=30)
    bench.look(after=30)
    assert bench.claim(b"A").found_by is FoundBy.START
    assert bench.claim(b"B").found_by is FoundBy.SCAN


def test_a_pass_over_very_many_folders_ends_and_goes_on_in_the_next(tmp_path):
    bench = Bench(tmp_path / "root", Completion.RENAME)
    for number in range(20):
        bench.drop(f"{number:02}")

    def slow_clock():
        bench.at += 0.1
        return bench.at

    bench.scanner.clock = slow_clock
    first = bench.look()
    assert 0 < len(first.ready) < 20
    assert first.next_look <= bench.at
    while len(bench.look().ready) < 20:
        pass
