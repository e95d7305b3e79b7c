"""The rules of readiness against a clock that the test turns."""

import pytest

from watcher.readiness import EMPTY_FACTOR, OVERDUE_SECONDS, Observation, Policy, Tracker
from watcher.states import Completion, FoundBy

HERE = (1, 100)
HALF = Observation(stillness=b"half")
WHOLE = Observation(stillness=b"whole")


def tracker(completion=Completion.AUTO, quiet=30.0, marker=b""):
    return Tracker(policy=Policy(completion=completion, quiet_seconds=quiet, marker=marker))


def seen(track, name=b"ST", at=0.0, identity=HERE, renamed=False):
    track.listed(name, identity=identity, found_by=FoundBy.SCAN, at=at, renamed=renamed)


def test_one_look_is_never_enough_however_long_ago_it_was():
    track = tracker()
    seen(track)
    assert not track.observe(b"ST", WHOLE, at=1000).ready


def test_without_a_quiet_period_it_still_takes_two_looks_that_agree():
    track = tracker(quiet=0)
    seen(track)
    assert not track.observe(b"ST", WHOLE, at=0).ready
    assert track.observe(b"ST", WHOLE, at=0.1).ready


def test_an_unchanged_folder_is_ready_after_its_quiet_period():
    track = tracker()
    seen(track)
    track.observe(b"ST", WHOLE, at=0)
    assert not track.observe(b"ST", WHOLE, at=29.9).ready
    assert track.observe(b"ST", WHOLE, at=30).ready


def test_any_change_starts_the_quiet_period_again():
    track = tracker(quiet=5)
    seen(track)
    for second in range(0, 60, 2):
        assert not track.observe(b"ST", Observation(stillness=b"%d" % second), at=second).ready
    assert not track.observe(b"ST", Observation(stillness=b"58"), at=62.9).ready
    assert track.observe(b"ST", Observation(stillness=b"58"), at=63).ready


def test_a_writer_with_gaps_shorter_than_the_quiet_period_is_waited_for():
    track = tracker(quiet=5)
    seen(track)
    for at, stillness in ((0, b"a"), (4, b"b"), (8, b"c"), (12, b"d")):
        assert not track.observe(b"ST", Observation(stillness=stillness), at=at).ready


def test_a_rename_that_the_kernel_told_of_is_ready_at_the_first_look():
    track = tracker()
    seen(track, renamed=True)
    assert track.observe(b"ST", WHOLE, at=0).ready


def test_a_rename_is_recognised_without_events_by_identity_and_content():
    track = tracker()
    track.temporary(b"ST.tmp1", identity=HERE, marks=frozenset({(b"a", 7)}), at=0)
    seen(track, at=60)
    found = Observation(stillness=b"x", marks_found=frozenset({(b"a", 7)}))
    assert track.earlier(b"ST") == {(b"a", 7)}
    assert track.observe(b"ST", found, at=60).ready


def test_an_inode_used_again_for_other_content_proves_nothing():
    track = tracker()
    track.temporary(b"ST.tmp1", identity=HERE, marks=frozenset({(b"a", 7), (b"b", 8)}), at=0)
    seen(track, at=60)
    assert not track.observe(b"ST", Observation(stillness=b"x", marks_found=frozenset({(b"a", 7)})), at=60).ready


def test_an_empty_temporary_folder_proves_nothing_about_what_has_its_inode_later():
    track = tracker()
    track.temporary(b"ST.tmp1", identity=HERE, marks=frozenset(), at=0)
    seen(track, at=60)
    assert not track.observe(b"ST", WHOLE, at=60).ready


def test_another_identity_proves_nothing():
    track = tracker()
    track.temporary(b"ST.tmp1", identity=(1, 99), marks=frozenset({(b"a", 7)}), at=0)
    seen(track, at=60)
    assert not track.observe(b"ST", WHOLE, at=60).ready


def test_a_folder_written_to_after_its_rename_has_to_be_quiet():
    track = tracker()
    seen(track, renamed=True)
    assert track.observe(b"ST", HALF, at=0).ready
    assert not track.observe(b"ST", WHOLE, at=1).ready
    assert track.observe(b"ST", WHOLE, at=31).ready


def test_quiet_takes_no_rename_for_a_proof():
    track = tracker(Completion.QUIET)
    seen(track, renamed=True)
    assert not track.observe(b"ST", WHOLE, at=0).ready


def test_with_completion_rename_any_final_name_is_whole_at_once():
    track = tracker(Completion.RENAME)
    seen(track)
    assert track.observe(b"ST", WHOLE, at=0).ready


def test_with_completion_rename_a_folder_changed_in_place_has_to_be_quiet():
    track = tracker(Completion.RENAME)
    seen(track)
    assert not track.observe(b"ST", Observation(stillness=b"x", again=True), at=0).ready
    assert track.observe(b"ST", Observation(stillness=b"x", again=True), at=30).ready


def test_with_completion_marker_nothing_but_the_marker_counts():
    track = tracker(Completion.MARKER, marker=b"DONE")
    seen(track)
    assert not track.observe(b"ST", Observation(stillness=b"no"), at=0).ready
    assert not track.observe(b"ST", Observation(stillness=b"no"), at=9000).ready
    verdict = track.observe(b"ST", Observation(stillness=b"x", marker_present=True), at=9001)
    assert verdict.ready


@pytest.mark.parametrize("completion", list(Completion))
def test_a_nested_temporary_entry_holds_the_delivery_back(completion):
    track = tracker(completion, marker=b"DONE")
    seen(track, renamed=True)
    nested = Observation(stillness=b"x", temporary_inside=b"series1.tmp9", marker_present=True)
    for at in (0, 100, 100_000):
        verdict = track.observe(b"ST", nested, at=at)
        assert not verdict.ready
    assert verdict.why == "still holds series1.tmp9"


def test_a_nested_temporary_entry_that_was_renamed_lets_it_go():
    track = tracker()
    seen(track)
    track.observe(b"ST", Observation(stillness=b"x", temporary_inside=b"a.part"), at=0)
    track.observe(b"ST", WHOLE, at=10)
    assert track.observe(b"ST", WHOLE, at=40).ready


def test_what_never_becomes_whole_is_pointed_out_after_a_day():
    track = tracker()
    seen(track)
    track.observe(b"ST", Observation(stillness=b"x", temporary_inside=b"a.part"), at=0)
    assert not track.waiting(OVERDUE_SECONDS - 1)[0].overdue
    assert track.waiting(OVERDUE_SECONDS)[0].overdue


@pytest.mark.parametrize("completion", [Completion.AUTO, Completion.RENAME, Completion.QUIET])
def test_an_empty_folder_waits_longer_because_it_may_be_somebodys_mkdir(completion):
    track = tracker(completion)
    seen(track, renamed=True)
    empty = Observation(stillness=b"", empty=True)
    track.observe(b"ST", empty, at=0)
    assert not track.observe(b"ST", empty, at=30 * EMPTY_FACTOR - 1).ready
    assert track.observe(b"ST", empty, at=30 * EMPTY_FACTOR).ready


def test_a_folder_that_cannot_be_read_is_never_ready_and_says_why():
    track = tracker(Completion.RENAME)
    seen(track)
    verdict = track.observe(b"ST", Observation(unreadable="Permission denied", stillness=b"denied"), at=0)
    assert not verdict.ready
    assert verdict.why == "cannot be read: Permission denied"


def test_a_folder_that_became_readable_waits_its_quiet_period_from_then_on():
    track = tracker()
    seen(track)
    track.observe(b"ST", Observation(unreadable="Permission denied", stillness=b"denied"), at=0)
    assert not track.observe(b"ST", WHOLE, at=100).ready
    assert track.observe(b"ST", WHOLE, at=130).ready


def test_a_folder_that_left_before_its_claim_has_vanished():
    track = tracker()
    seen(track, b"ST")
    seen(track, b"ST2", identity=(1, 101))
    assert track.keep_only({b"ST2"}) == [b"ST"]
    assert track.due(0) == [b"ST2"]


def test_the_same_name_on_another_inode_starts_anew():
    track = tracker()
    seen(track)
    track.observe(b"ST", WHOLE, at=0)
    seen(track, at=20, identity=(1, 101))
    track.observe(b"ST", WHOLE, at=20)
    assert not track.observe(b"ST", WHOLE, at=31).ready


def test_the_oldest_ready_delivery_comes_first():
    track = tracker(quiet=0)
    for number, name in enumerate((b"c", b"a", b"b")):
        seen(track, name, identity=(1, number))
    for at, name in ((1, b"b"), (2, b"c"), (3, b"a")):
        track.observe(name, WHOLE, at=at - 0.5)
        track.observe(name, WHOLE, at=at)
    assert [name for _, name in track.ready()] == [b"b", b"c", b"a"]


def test_the_next_look_falls_on_the_end_of_the_quiet_period():
    track = tracker(quiet=30)
    seen(track)
    track.observe(b"ST", WHOLE, at=0)
    assert track.observe(b"ST", WHOLE, at=27).next_look == 30


def test_looks_at_a_folder_that_takes_long_to_walk_are_spaced_out():
    track = tracker(quiet=300)
    seen(track)
    assert track.observe(b"ST", Observation(stillness=b"x", cost=2.0), at=0).next_look == 20


def test_new_and_renamed_folders_are_looked_at_before_what_has_settled_for_long():
    track = tracker()
    seen(track, b"old", identity=(1, 1))
    track.observe(b"old", WHOLE, at=0)
    seen(track, b"new", at=50, identity=(1, 2))
    assert track.due(60) == [b"new", b"old"]


def test_what_is_ready_waits_for_its_turn_without_further_looks():
    track = tracker(Completion.RENAME)
    seen(track)
    track.observe(b"ST", WHOLE, at=0)
    assert track.due(1000) == []
    assert track.next_look() is None
