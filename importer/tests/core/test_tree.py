"""Finding a container by UID and by label: every branch of the published matching order, and what it leaves behind."""

import pytest

from importer.core.states import ConflictType, Level, Upsert
from importer.core.tree import Clash, Node, Target, Tree

SUBJECT, SESSION, ACQUISITION = Level.SUBJECT, Level.SESSION, Level.ACQUISITION


class Archive:
    """A tree with rows in it."""

    def __init__(self, **options):
        self.tree = Tree(root=Node(level=Level.PROJECT, label="", id=1), **options)
        self.ids = iter(range(100, 200))

    def put(self, *labels, uid=""):
        """The row at the end of these labels; those above are looked up by label."""
        parent = self.tree.root
        for level, label in zip((SUBJECT, SESSION, ACQUISITION), labels[:-1], strict=False):
            parent = next(n for n in self.tree._by_label[level, parent, label])
        level = (SUBJECT, SESSION, ACQUISITION)[len(labels) - 1]
        return self.tree.add(Node(level=level, label=labels[-1], parent=parent, uid=uid, id=next(self.ids)))

    def find(self, **said):
        """Where the one known series goes, with these changes."""
        wanted = {
            "level": ACQUISITION, "subject_label": "P", "session_label": "S", "session_uid": "1",
            "acquisition_label": "A", "acquisition_uid": "1.1",
        }  # fmt: skip
        names = {"subject": "subject_label", "session": "session_label", "study": "session_uid",
                 "acquisition": "acquisition_label", "series": "acquisition_uid", "level": "level"}  # fmt: skip
        return self.tree.resolve(Target(**wanted | {names[name]: value for name, value in said.items()}))


@pytest.fixture
def archive():
    """One patient, one study, one series."""
    found = Archive()
    found.put("P")
    found.put("P", "S", uid="1")
    found.put("P", "S", "A", uid="1.1")
    return found


def test_what_is_known_by_uid_and_by_label_is_found(archive):
    found = archive.find()
    assert (found.id, found.upsert, found.path) == (102, Upsert.SKIP, "P/S/A")


def test_what_is_missing_is_made_once(archive):
    made = archive.find(subject="Q", study="2", series="2.1")
    assert (made.id, made.upsert, made.parent.parent.upsert) == (None, Upsert.CREATE, Upsert.CREATE)
    assert archive.find(subject="Q", study="2", series="2.1") is made
    assert archive.find(subject="Q", study="2", series="2.2", acquisition="B").parent is made.parent


CLASHES = {
    "another patient's study": ({"subject": "Q"}, SESSION, ConflictType.UID_PARENT, ["P/S"]),
    "a study called otherwise": ({"session": "T"}, SESSION, ConflictType.UID_LABEL, ["P/S"]),
    "a second study of one name": ({"study": "2"}, SESSION, ConflictType.LABEL_UID, ["P/S"]),
    "another study's series": (
        {"session": "T", "study": "2"}, ACQUISITION, ConflictType.UID_PARENT, ["P/S/A"],
    ),
    "a series called otherwise": ({"acquisition": "B"}, ACQUISITION, ConflictType.UID_LABEL, ["P/S/A"]),
    "a second series of one name": ({"series": "1.2"}, ACQUISITION, ConflictType.LABEL_UID, ["P/S/A"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CLASHES.values(), ids=CLASHES)
def test_who_matches_by_one_of_them_only_clashes_and_leaves_nothing(archive, case):
    said, level, type_, candidates = case
    before = len(archive.tree._by_uid), len(archive.tree._by_label)

    found = archive.find(**said)

    assert isinstance(found, Clash)
    assert (found.level, found.type) == (level, type_)
    assert [node.path for node in found.candidates] == candidates
    assert (len(archive.tree._by_uid), len(archive.tree._by_label)) == before


def test_two_of_one_uid_are_a_choice_even_when_one_of_them_fits(archive):
    archive.put("P", "other", uid="1")
    assert archive.find() == Clash(SESSION, ConflictType.MULTIPLE_UID, tuple(archive.tree._by_uid[SESSION, "1"]))


@pytest.mark.parametrize(
    ("labels", "level"), [(("P",), SUBJECT), (("P", "N"), SESSION), (("P", "S", "N"), ACQUISITION)]
)
def test_two_of_one_label_are_a_choice_where_no_uid_decides(archive, labels, level):
    archive.put(*labels)
    if len(labels) > 1:
        archive.put(*labels)
    wanted = dict(zip(("subject", "session", "acquisition"), labels, strict=False))
    found = archive.find(**wanted, study="1" if level == ACQUISITION else "", series="")
    assert (found.level, found.type) == (level, ConflictType.MULTIPLE_LABEL)


def test_a_uid_decides_between_two_of_one_label(archive):
    archive.put("P", "S", uid="2")
    assert archive.find(level=SESSION).id == 101
    assert archive.find(level=SESSION, study="2").id == 103


def test_one_without_uid_is_adopted_and_from_then_on_known_by_it(archive):
    row = archive.put("P", "T")
    assert archive.find(session="T", study="9", level=SESSION) is row
    assert (row.uid, row.upsert) == ("9", Upsert.UPDATE)
    assert archive.find(session="U", study="9").type == ConflictType.UID_LABEL


def test_a_clash_below_adopts_nothing_above(archive):
    row = archive.put("P", "T")
    assert archive.find(session="T", study="9").type == ConflictType.UID_PARENT
    assert (row.uid, row.upsert) == ("", Upsert.SKIP)


def test_without_a_uid_a_label_is_enough(archive):
    assert archive.find(study="", series="").id == 102
    assert archive.find(study="", series="", level=SUBJECT).id == 100
    assert archive.find(level=Level.PROJECT) is archive.tree.root


def test_one_made_on_paper_without_uid_takes_the_first_that_comes(archive):
    made = archive.find(session="T", study="", acquisition="B", series="")
    assert archive.find(session="T", study="9", acquisition="B", series="9.1") is made
    assert (made.uid, made.parent.uid, made.upsert) == ("9.1", "9", Upsert.CREATE)
    assert archive.find(session="T", study="8").type == ConflictType.LABEL_UID


def test_without_uids_only_labels_count(archive):
    free = Archive(by_uid=False)
    free.put("P")
    free.put("P", "S", uid="1")
    assert free.find(subject="Q").upsert == Upsert.CREATE
    assert free.find(session="T").upsert == Upsert.CREATE
    assert free.find(study="2").type == ConflictType.LABEL_UID


def test_what_is_added_twice_is_one(archive):
    row = archive.put("P", "T")
    assert archive.tree.add(Node(level=SESSION, label="T", parent=row.parent, id=row.id)) is row
    assert archive.tree.known(SESSION, row.id) is row
    assert archive.find(session="T", study="", level=SESSION) is row
