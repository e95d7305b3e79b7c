"""From names to rules: realistic layouts, corrections by example, and whatever else paths may be."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.core.labels import clean_label
from importer.core.rules.parsing import parse
from importer.core.rules.proposals import Example, ProposalError, propose
from importer.core.rules.tables import row

# Name of a layout → (paths, the first proposal's mappings, what it gives for the first path).
LAYOUTS = {
    "BIDS": (
        [
            f"sub-{s:02}/ses-{v:02}/{kind}/sub-{s:02}_ses-{v:02}_{name}"
            for s in range(1, 6)
            for v in (1, 2)
            for kind, name in (("anat", "T1w.nii.gz"), ("func", "task-rest_bold.nii.gz"), ("anat", "T1w.json"))
        ]
        + ["dataset_description.json", "participants.tsv"],
        ["path=sub-{sub}/ses-{ses}/{acq}/*"],
        ("01", "01", "anat"),
    ),
    "BIDS without sessions": (
        [
            f"ds/sub-{s:02}/{kind}/sub-{s:02}_{name}"
            for s in range(1, 6)
            for kind, name in (("anat", "T1w.nii.gz"), ("func", "task-rest_bold.nii.gz"))
        ],
        ["path=ds/sub-{sub}/{acq}/*"],
        ("01", "1", "anat"),
    ),
    "subject, visit, sequence": (
        [f"{s}/{v}/{a}/IM{i:04}" for s in ("S001", "S002", "S003") for v in ("V1", "V2") for a in ("T1", "FLAIR")
         for i in range(4)],
        ["path={sub}/{ses}/{acq}/*"],
        ("S001", "V1", "T1"),
    ),
    "all in the name": (
        [f"S{s:03}_{v}_{a}.nii.gz" for s in range(1, 5) for v in ("baseline", "followup") for a in ("T1w", "rest_bold")],
        ["path={sub}_{ses}_{acq}.nii.gz"],
        ("S001", "baseline", "T1w"),
    ),
    "an export with dates, below two folders and above one": (
        [f"export/2024/{s}/{v}/{a}/DICOM/{i:05}.dcm" for s in ("P01", "P02") for v in ("20200102", "20200301")
         for a in ("1 - localizer", "2 - t1_mprage") for i in range(3)],
        ["path=export/2024/{sub}/{ses}/{acq}/DICOM/*"],
        ("P01", "20200102", "1 - localizer"),
    ),
    "the visit above the subject": (
        [f"{v}/{s}/{a}.nii" for v in ("Visit 1", "Visit 2") for s in ("1001", "1002") for a in ("T1", "T2", "FLAIR")],
        ["path={ses}/{sub}/{acq}.nii"],
        ("1001", "Visit 1", "T1"),
    ),
    "all in one folder": (
        [f"batch/{s}_{v}_{a}/im{i}.nii" for s in ("S001", "S002") for v in ("V1", "V2") for a in ("T2", "DWI")
         for i in range(5)],
        ["path=batch/{sub}_{ses}_{acq}/*"],
        ("S001", "V1", "T2"),
    ),
    "site and subject in one": (
        [f"batch1/00{k}-{s:03}_V{v}/DICOM/i{i}.dcm" for k in (4, 5) for s in (1, 2, 3) for v in (1, 2) for i in range(3)],
        ["path=batch1/{sub}_{ses}/{acq}/*"],
        ("004-001", "V1", "DICOM"),
    ),
    "no sessions": (
        [f"{s}/{a}/x{i}.nii" for s in ("mouse01", "mouse02", "mouse03") for a in ("T2_axial", "diffusion")
         for i in range(2)],
        ["path={sub}/{acq}/*"],
        ("mouse01", "1", "T2_axial"),
    ),
    "subjects and nothing else": (
        [f"patient_{s}/IM{i:05}" for s in range(3) for i in range(6)],
        ["path={sub}/*"],
        ("patient_0", "1", "files"),
    ),
    "a date in the name": (
        [f"P{s:03}_2020010{d}_t1.nii" for s in range(1, 5) for d in (1, 2)],
        ["path={sub}_{ses}_{acq}.nii"],
        ("P001", "20200101", "t1"),
    ),
    "some a folder deeper": (
        [f"{s}/{v}/T1/IM{i}" for s in ("S001", "S002") for v in ("V1", "V2") for i in range(3)]
        + [f"{s}/{v}/DWI/more/IM{i}" for s in ("S001", "S002") for v in ("V1", "V2") for i in range(3)],
        ["path={sub}/{ses}/{acq}/**/*"],
        ("S001", "V1", "T1"),
    ),
    "ISO dates": (
        [f"data/{s}/{d}/{a}.nii.gz" for s in ("alpha", "beta") for d in ("2020-01-02", "2021-03-04")
         for a in ("T1w", "T2w")],
        ["path=data/{sub}/{ses}/{acq}.nii.gz"],
        ("alpha", "2020-01-02", "T1w"),
    ),
    "time points that look like weightings": (
        [f"{s}/T{t}/{a}/f.nii" for s in ("HC01", "HC02", "PD01") for t in (0, 1, 2) for a in ("asl", "bold")],
        ["path={sub}/{ses}/{acq}/*"],
        ("HC01", "T0", "asl"),
    ),
    "the sequence above all": (
        [f"{a}/{s}/{v}.nii" for a in ("T1", "FLAIR") for s in ("s01", "s02") for v in ("m00", "m12")],
        ["path={acq}/{sub}/{ses}.nii"],
        ("s01", "m00", "T1"),
    ),
    "words with numbers": (
        [f"Study/Subject {s}/Session {v}/Series {a}/image{i}.ima" for s in (1, 2, 3) for v in (1, 2) for a in (3, 4)
         for i in range(3)],
        ["path=Study/{sub}/{ses}/{acq}/*"],
        ("Subject 1", "Session 1", "Series 3"),
    ),
    "no word that anybody knows": (
        [f"{s}/{v}/{a}/{i}.bin" for s in ("anna", "bert", "carl") for v in ("north", "south") for a in ("red", "blue")
         for i in "xy"],
        ["path={sub}/{ses}/{acq}/*"],
        ("anna", "north", "red"),
    ),
    "UIDs": (
        [f"1.2.3.4.{s}/1.2.3.4.{s}.{v}/1.2.3.4.{s}.{v}.{a}/1.2.3.4.{s}.{v}.{a}.{i}" for s in (1, 2) for v in (1, 2)
         for a in (1, 2) for i in range(3)],
        ["path={sub}/{ses}/{acq}/*"],
        ("1.2.3.4.1", "1.2.3.4.1.1", "1.2.3.4.1.1.1"),
    ),
    "signs that mean something in patterns": (
        [f"a+b (x)/[{s}]/V{v}/{a}/f.nii" for s in ("S01", "S02") for v in (1, 2) for a in ("T1*", "{T2}")],
        ["path=a\\+b \\(x\\)/{sub}/{ses}/{acq}/*"],
        ("[S01]", "V1", "T1star"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_understood(name):
    paths, mappings, labels = LAYOUTS[name]
    best = propose(paths)[0]
    rules = parse(best.rules_text)
    assert [line.text for line in rules.rules[-1].mappings] == mappings
    first = best.rows[0]
    assert (first.path, (first.subject, first.session, first.acquisition)) == (paths[0], labels)
    assert best.total == len(paths)
    assert best.covered == sum(path.count("/") > 0 or "/" not in paths[0] for path in paths)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_table_is_what_the_rules_give(name):
    paths = LAYOUTS[name][0]
    for proposal in propose(paths):
        rules = parse(proposal.rules_text)
        placed = [row(rules, path) for path in paths]
        assert proposal.covered == sum(one.taken for one in placed)
        assert set(proposal.left) == {one.path for one in placed if not one.taken}
        places = {(one.subject, one.session, one.acquisition) for one in placed if one.taken}
        assert {(one.subject, one.session, one.acquisition) for one in proposal.rows} == places
        assert set(proposal.rows) <= set(placed)


def test_files_that_claim_to_be_dicom_are_read_as_dicom_before_anything_else():
    rules = parse(propose(LAYOUTS["words with numbers"][0])[0].rules_text)
    assert [rule.is_dicom for rule in rules.rules] == [True, False]
    assert len(parse(propose(LAYOUTS["ISO dates"][0])[0].rules_text).rules) == 1


def test_proposals_differ_in_what_they_give_and_the_best_covers_most():
    for paths, _, _ in LAYOUTS.values():
        found = propose(paths)
        assert 1 <= len(found) <= 5
        assert len({one.rows for one in found}) == len(found)
        assert found[0].covered == max(one.covered for one in found)


# Name → (layout, rows as typed, the first proposal's mappings).
SITE = "batch1/004-001_V1/DICOM/i0.dcm"
EXAMPLES = {
    "a piece of a folder": (
        "site and subject in one",
        [(SITE, "001", "V1", "DICOM")],
        ["path=batch1/*-{sub}_{ses}/{acq}/*"],
    ),
    "without the letter in front": (
        "site and subject in one",
        [(SITE, "004-001", "1", "DICOM")],
        ["path=batch1/{sub}_V{ses}/{acq}/*"],
    ),
    "words that belong together": (
        "all in the name",
        [("S001_baseline_rest_bold.nii.gz", "S001", "baseline", "rest_bold")],
        ["path={sub}_{ses}_{acq}.nii.gz"],
    ),
    "a number in front of the sequence": (
        "an export with dates, below two folders and above one",
        [("export/2024/P01/20200102/2 - t1_mprage/DICOM/00000.dcm", "P01", "20200102", "t1_mprage")],
        ["path=export/2024/{sub}/{ses}/* - {acq}/DICOM/*"],
    ),
    "one folder for two labels": (
        "subject, visit, sequence",
        [("S001/V1/T1/IM0000", "S001", "S001", "T1")],
        ["path={sub}/*/{acq}/*", "path={ses}/*/*/*"],
    ),
    "a session that no path has": (
        "no sessions",
        [("mouse01/diffusion/x0.nii", "mouse01", "baseline", "diffusion")],
        ["path={sub}/{acq}/*"],
    ),
    "a session that stands in the path by accident only": (
        "no sessions",
        [("mouse01/diffusion/x0.nii", "mouse01", "1", "diffusion")],
        ["path={sub}/{acq}/*"],
    ),
    "the year alone": (
        "ISO dates",
        [("data/alpha/2020-01-02/T1w.nii.gz", "alpha", "2020", "T1w")],
        ["path=data/{sub}/{ses}-*/{acq}.nii.gz"],
    ),
    "files of a session": (
        "subject, visit, sequence",
        [("S001/V1/T1/IM0000", "S001", "V1", "")],
        ["path={sub}/{ses}/*/*"],
    ),
    "two depths": (
        "some a folder deeper",
        [("S001/V1/T1/IM0", "S001", "V1", "T1"), ("S001/V1/DWI/more/IM0", "S001", "V1", "more")],
        ["path={sub}/{ses}/{acq}/*", "path={sub}/{ses}/DWI/{acq}/*"],
    ),
    "files of the project beside those of acquisitions": (
        "BIDS",
        [("sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz", "01", "01", "anat"), ("participants.tsv", "", "", "")],
        ["path=sub-{sub}/ses-{ses}/{acq}/*"],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_proposal_gives_exactly_what_was_typed(name):
    layout, typed, mappings = EXAMPLES[name]
    examples = [Example(*one) for one in typed]
    found = propose(LAYOUTS[layout][0], examples)
    assert [line.text for line in parse(found[0].rules_text).rules[-1].mappings] == mappings
    for proposal in found:
        rows = {one.path: one for one in proposal.rows}
        for one in examples:
            given_row = rows[one.path]
            assert (given_row.subject, given_row.session, given_row.acquisition) == one.labels
            assert given_row.taken


@pytest.mark.parametrize(
    ("paths", "typed", "mapping"),
    [
        (
            ["S001V1T1.nii", "S002V2T2.nii", "S103V1T1.nii"],
            ("S001V1T1.nii", "S001", "V1", "T1"),
            r"path={sub:[A-Za-z]+[0-9]+}{ses:[A-Za-z]+[0-9]+}{acq:[A-Za-z]+[0-9]+}\.nii!r",
        ),
        (
            ["001A1.nii", "002B2.nii"],
            ("001A1.nii", "001", "A", "1"),
            r"path={sub:[0-9]+}{ses:[A-Za-z]+}{acq:[0-9]+}\.nii!r",
        ),
        (
            ["S_001_baseline_T1w.nii.gz", "S_002_baseline_T1w.nii.gz"],
            ("S_001_baseline_T1w.nii.gz", "S_001", "baseline", "T1w"),
            r"path={sub:[^-_ ./]+_[^-_ ./]+}_{ses:[^-_ ./]+}_{acq:[^-_ ./]+}\.nii\.gz!r",
        ),
    ],
)
def test_where_no_sign_separates_labels_an_expression_does(paths, typed, mapping):
    best = propose(paths, [Example(*typed)])[0]
    assert parse(best.rules_text).rules[-1].mappings[0].text == mapping
    assert best.covered == len(paths)


PATH = "S001/V1/T1/IM0000"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([(PATH, "X9", "V1", "T1")], "The subject “X9” does not occur in S001/V1/T1/IM0000"),
        ([(PATH, "S001", "", "T1")], "give a session, too"),
        ([(PATH, "S001", "V1", "T1"), (PATH, "S001", "V2", "T1")], "is given twice, and differently"),
        ([(PATH, "S001", "V1", "T1"), ("S001/V2/T1/IM0000", "S001", "T1", "V2")], "also what was said before"),
        ([(PATH, "S001", "V1", "T1"), ("S001/V2/T1/IM0000", "S001", "x", "T1")], "“x” does not occur in S001/V2"),
        ([(PATH, "S001", "V1", "T1"), ("S001/V2/T1/IM0000", "S001", "V2", "")], "write two rules"),
        ([(PATH, "S001", "a/b", "T1")], "it would be “a_b”"),
        ([(PATH, "S001/V1", "V1", "T1")], "it would be “S001_V1”"),
    ],
)
def test_what_cannot_be_is_said(typed, said):
    with pytest.raises(ProposalError, match=said):
        propose(LAYOUTS["subject, visit, sequence"][0], [Example(*one) for one in typed])


def test_nothing_is_proposed_for_nothing():
    assert propose([]) == ()
    assert propose(["", "/"]) == ()


PIECE = st.text(max_size=12) | st.sampled_from(
    ["sub-01", "ses-02", "V1", "T1", "2020-01-02", "a_b_c", "{x}", "[a]!r", "*", "\\", "@x", "a=b"]
)
PATHS = st.lists(st.lists(PIECE, min_size=1, max_size=6).map("/".join), max_size=12)


@settings(max_examples=80, deadline=None)
@given(PATHS)
def test_whatever_the_paths_are_each_proposal_parses(paths):
    for proposal in propose(paths):
        rules = parse(proposal.rules_text)
        assert 0 <= proposal.covered <= proposal.total
        assert all(row(rules, one.path) == one for one in proposal.rows)


@settings(max_examples=80, deadline=None)
@given(
    PATHS,
    st.lists(
        st.builds(Example, *[st.lists(PIECE, max_size=4).map("/".join)], PIECE, PIECE, PIECE), min_size=1, max_size=3
    ),
)
def test_whatever_is_typed_is_given_exactly_or_refused_with_a_sentence(paths, examples):
    try:
        found = propose(paths, examples)
    except ProposalError:
        return
    assert found or not any(one.path.strip("/") for one in examples)
    for proposal in found:
        rules = parse(proposal.rules_text)
        for one in examples:
            placed = row(rules, one.path)
            assert (placed.subject, placed.session, placed.acquisition) == one.labels


LABEL = st.text(max_size=8).map(clean_label).filter(bool)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(LABEL, LABEL, LABEL), min_size=1, max_size=6))
def test_three_folders_can_always_be_typed(labels):
    paths = ["/".join(["x", *one, "f.nii"]) for one in labels]
    for proposal in propose(paths, [Example(paths[0], *labels[0])]):
        first = proposal.rows[0]
        assert (first.path, first.subject, first.session, first.acquisition) == (paths[0], *labels[0])


def test_10000_paths_take_about_a_second():
    paths = [
        f"export/site{k}/S{s:04}/V{v}/{a}/IM{i:05}.dcm"
        for k in (1, 2) for s in range(50) for v in (1, 2) for a in ("T1", "T2", "FLAIR", "DWI") for i in range(13)
    ]  # fmt: skip
    started = time.process_time()
    best = propose(paths)[0]
    # A quiet machine takes half a second; this one may be busy.
    assert time.process_time() - started < 4
    assert (best.total, best.covered) == (10_000, 10_000)
    assert len(best.rows) == 400
