"""Where a file that is no DICOM goes, by the DICOM around it."""

from importer.core.records import Bad
from importer.core.states import Level
from importer.core.surroundings import Attach, Surroundings

NO_RULE = Bad("skipped", "No rule matched")
FIRST = Attach(Level.ACQUISITION, "P1", "brain", "1.1", "t1", "1.1.1")


def around(*places):
    """Each place: folder, subject, session, acquisition; UIDs follow from the labels."""
    uids = {"brain": "1.1", "knee": "1.2", "t1": "1.1.1", "t2": "1.1.2", "": ""}
    known = Surroundings()
    for folder, subject, session, acquisition in places:
        known.add(
            folder, subject=subject, session=(session, uids[session]), acquisition=(acquisition, uids[acquisition])
        )
    return known


ONE = ("st/a", "P1", "brain", "t1")
SECOND = ("st/b", "P1", "brain", "t2")


def test_beside_one_acquisition_a_file_is_attached_there():
    assert around(ONE).place("st/a/notes.txt") == FIRST


def test_below_a_folder_with_dicom_a_file_climbs_to_it():
    assert around(ONE).place("st/a/deep/er/notes.txt") == FIRST


def test_above_folders_with_dicom_a_file_sees_all_that_is_below():
    assert around(ONE).place("notes.txt") == FIRST


def test_the_nearest_folder_wins():
    assert around(ONE, SECOND).place("st/a/notes.txt") == FIRST


def test_a_folder_beside_the_dicom_climbs_to_the_folder_that_holds_both():
    assert around(ONE).place("st/papers/notes.txt") == FIRST


def test_two_acquisitions_of_one_session_attach_to_the_session():
    assert around(ONE, SECOND).place("st/notes.txt") == Attach(Level.SESSION, "P1", "brain", "1.1")


def test_two_sessions_of_one_subject_attach_to_the_subject():
    assert around(ONE, ("st/b", "P1", "knee", "t1")).place("st/notes.txt") == Attach(Level.SUBJECT, "P1")


def test_two_subjects_attach_to_the_project():
    assert around(ONE, ("st/b", "P2", "brain", "t1")).place("st/notes.txt") == Attach(Level.PROJECT)


def test_two_acquisitions_of_one_label_are_two():
    known = around(ONE)
    known.add("st/a", subject="P1", session=("brain", "1.1"), acquisition=("t1", "1.1.9"))
    assert known.place("st/a/notes.txt") == Attach(Level.SESSION, "P1", "brain", "1.1")


def test_one_acquisition_in_two_folders_is_one():
    assert around(ONE, ("st/b", "P1", "brain", "t1")).place("st/notes.txt") == FIRST


def test_dicom_in_the_root_itself_is_found_from_everywhere():
    assert around(("", "P1", "brain", "t1")).place("x/y/z/w/notes.txt") == FIRST


def test_a_folder_whose_name_only_begins_alike_is_not_below():
    known = around(ONE, ("st/ab", "P2", "brain", "t1"))
    assert known.place("st/a/notes.txt") == FIRST


def test_without_any_dicom_the_last_three_folders_name_the_place():
    found = around().place("x/y/sub/ses/acq/a.txt")
    assert found == Attach(Level.ACQUISITION, "sub", "ses", "", "acq", "")


def test_labels_from_folders_are_cleaned():
    assert around().place("s:1/T2*/a?b/a.txt").acquisition_label == "a_b"


def test_with_fewer_than_three_folders_no_rule_matches():
    assert [around().place(path) for path in ("a.txt", "acq/a.txt", "ses/acq/a.txt")] == [NO_RULE] * 3


def test_a_folder_whose_name_leaves_no_label_matches_no_rule():
    assert around().place("sub/.../acq/a.txt") == NO_RULE


def test_a_file_whose_only_dicom_waits_for_a_label_matches_no_rule():
    assert around(("sub/ses/acq", "", "brain", "t1")).place("sub/ses/acq/notes.txt") == NO_RULE


def test_dicom_that_waits_does_not_hide_dicom_that_has_a_place():
    assert around(("st/a", "", "brain", "t1"), ONE).place("st/a/notes.txt") == FIRST


def test_a_file_beside_waiting_dicom_is_not_given_to_the_patient_next_door():
    assert around(ONE, ("st/b", "", "brain", "t1")).place("st/b/notes.txt") == NO_RULE


def test_waiting_can_be_said_outright():
    known = around(ONE)
    known.add_waiting("st/b")
    assert known.place("st/b/deeper/notes.txt") == NO_RULE


def test_the_order_in_which_dicom_is_told_does_not_matter():
    places = [ONE, SECOND, ("st", "P1", "knee", "t1"), ("x", "P2", "brain", "t1"), ("st/a", "", "", "")]
    paths = ["n", "st/n", "st/a/n", "st/b/n", "x/n", "y/n"]
    one, other = around(*places), around(*reversed(places))
    assert [one.place(path) for path in paths] == [other.place(path) for path in paths]


def test_memory_does_not_grow_with_the_files_of_a_folder():
    known = Surroundings()
    for n in range(1000):
        known.add("st/a", subject="P1", session=("brain", ""), acquisition=(f"t{n}", ""))
    assert known.place("st/a/n") == Attach(Level.SESSION, "P1", "brain")
    assert known._common == dict.fromkeys(("st/a", "st", ""), (("P1", ""), ("brain", "")))
