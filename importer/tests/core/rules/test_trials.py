"""Rules tried on a sample: every file has a fate, a page has fifty, and time is bounded."""

from zoneinfo import ZoneInfo

import pytest

from importer.core.records import Header
from importer.core.rules.model import SourceFile
from importer.core.rules.parsing import parse
from importer.core.rules.samples import EXAMPLES, Fact, named
from importer.core.rules.trials import Fate, Wish, every_row, try_rules

DICOM = "- type: dicom\n"
PATHS = "- name: By path\n  mappings: path={subject}/{session}/{acquisition}/*\n"


def tried(text, facts, *, start=0, only_missed=False, is_late=lambda: False):
    wish = Wish(start=start, only_missed=only_missed)
    return try_rules(parse(text), facts, wish, zone=ZoneInfo("UTC"), is_late=is_late)


def image(path="P/1.dcm", **tags):
    said = {"PatientID": "P1", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4",
            "StudyDescription": "Brain", "SeriesDescription": "t1", "Modality": "MR"} | tags  # fmt: skip
    return Fact(file=SourceFile(path=path, size=9), is_dicom=True, header=Header(said, "1.2", None))


def plain(path):
    return Fact(file=SourceFile(path=path, size=9), is_dicom=False)


def only(text, fact):
    (row,) = tried(text, [fact]).rows
    return row


def test_an_image_goes_into_the_archive_of_its_series():
    row = only(DICOM, image())
    assert (row.result.fate, row.result.rule) == (Fate.TAKEN, 1)
    assert (row.result.place, row.result.member) == (("P1", "Brain", "t1", "t1.dicom.zip"), "1.2.3.4.MR.dcm")


def test_an_image_that_is_not_zipped_stays_a_file():
    assert only("- type: dicom\n  zip: false\n", image()).result.place == ("P1", "Brain", "t1", "1.2.3.4.MR.dcm")


def test_a_file_goes_where_its_folders_say():
    row = only(PATHS, plain("S1/V1/T1/a.nii.gz"))
    assert row.result.place == ("S1", "V1", "T1", "a.nii.gz")
    assert row.rule_name == "By path"
    assert ("subject.label", "S1") in row.fields


def test_files_that_are_zipped_together_say_so():
    text = PATHS + "  zip: true\n"
    result = only(text, plain("S1/V1/T1/a.txt")).result
    assert (result.place, result.member) == (("S1", "V1", "T1", "T1.zip"), "a.txt")


def test_a_rule_of_a_higher_level_asks_for_no_more():
    text = "- level: subject\n  mappings: path={subject}/*\n"
    assert only(text, plain("S1/a.txt")).result.place == ("S1", "a.txt")


def test_a_rule_of_the_project_asks_for_nothing():
    assert only("- level: project\n", plain("a.txt")).result.place == ("a.txt",)


def test_an_image_that_lacks_a_label_is_held():
    result = only(DICOM, image(PatientID="")).result
    assert (result.fate, result.said) == (Fate.HELD, "Missing label: subject")


@pytest.mark.parametrize(("asked", "fate"), [("skip", Fate.SKIPPED), ("fail", Fate.FAILED), ("hold", Fate.HELD)])
def test_what_lacks_a_label_is_treated_as_the_rules_ask(asked, fate):
    assert only(f"missing_meta: {asked}\nrules:\n- type: dicom\n", image(PatientID="")).result.fate is fate


def test_a_path_that_gives_too_little_is_skipped():
    result = only(PATHS, plain("a.txt")).result
    assert (result.fate, result.said) == (Fate.SKIPPED, "Missing label: subject")


def test_a_file_beside_images_goes_with_them():
    trial = tried(DICOM + "- beside_dicom: true\n", [plain("P/notes.txt"), image("P/1.dcm")])
    assert trial.rows[0].result.fate is Fate.BESIDE
    assert trial.rows[0].result.place == ("P1", "Brain", "t1", "notes.txt")


def test_what_no_rule_takes_says_why_each_did_not():
    row = only(DICOM + "- include: path=~*.nii\n", plain("a.txt"))
    assert row.result.said
    assert row.result.fate is Fate.SKIPPED
    assert [(why.number, why.taken) for why in row.why] == [(1, False), (2, False)]
    assert all(why.said for why in row.why)


def test_junk_is_skipped_whatever_the_rules_say():
    assert only("- level: project\n", plain("x/.DS_Store")).result.said.startswith("Junk")


def test_a_header_that_was_not_read_is_not_a_failure():
    trial = tried(DICOM, [named("1.dcm")])
    assert trial.rows[0].result.fate is Fate.UNREAD
    assert trial.missed == 0


def test_a_page_has_fifty_files_and_says_where_the_next_begins():
    facts = [plain(f"{n}.txt") for n in range(120)]
    first = tried(DICOM, facts)
    assert (len(first.rows), first.next_start) == (50, 50)
    last = tried(DICOM, facts, start=100)
    assert ([row.path for row in last.rows], last.next_start) == ([f"{n}.txt" for n in range(100, 120)], None)


def test_only_what_was_not_taken_is_shown_on_request():
    facts = [image("P/1.dcm"), plain("a.txt"), named("2.dcm"), image("Q/3.dcm", PatientID="")]
    assert [row.path for row in tried(DICOM, facts, only_missed=True).rows] == ["a.txt", "Q/3.dcm"]


def test_every_file_is_counted_once():
    trial = tried(DICOM + "- beside_dicom: true\n", EXAMPLES)
    assert sum(trial.fates.values()) == trial.total == trial.looked == len(EXAMPLES)


def test_each_rule_says_how_many_files_it_takes():
    trial = tried(DICOM + PATHS, [image(), plain("a/b/c/d.txt"), plain("a/b/c/e.txt")])
    assert [(one.number, one.name, one.line, one.files) for one in trial.shares] == [
        (1, "", 1, 1),
        (2, "By path", 2, 2),
    ]


def test_when_the_time_is_up_it_says_how_far_it_came():
    asked = iter([False, False, True])
    trial = tried(DICOM, [plain("a"), plain("b"), plain("c")], is_late=lambda: next(asked))
    assert (trial.looked, trial.total, len(trial.rows)) == (2, 3, 2)


def test_all_files_may_be_asked_for_at_once():
    facts = [plain(f"a/b/c/{n}.txt") for n in range(120)]
    rows = list(every_row(parse("- beside_dicom: true\n"), facts, zone=ZoneInfo("UTC")))
    assert [row.number for row in rows] == list(range(120))
    assert rows[-1].result.place == ("a", "b", "c", "119.txt")


def test_a_page_behind_the_end_is_empty():
    assert tried(DICOM, [plain("a")], start=99).rows == ()
