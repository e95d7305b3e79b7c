"""The rule sets that are always there. Nobody edits them: they are copied, and the copy is edited."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STANDARD = """\
# DICOM by its header; everything else beside the DICOM around it, or by its last three folders.
name: standard
rules:
  - name: DICOM by header
    type: dicom
  - name: other files beside it
    beside_dicom: true
"""

DICOM_ONLY = """\
# DICOM by its header; everything else is skipped, with its row in the report.
name: dicom-only
rules:
  - name: DICOM by header
    type: dicom
"""

BY_PATH = """\
# Every file as it is, by the last three folders above it: subject/session/acquisition/file.
name: by-path
rules:
  - name: the last three folders
"""

BIDS = """\
# A BIDS dataset: sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz goes to 01 / 02 / anat.
# Without ses- folders the session is called 01. What lies above the subjects goes to the project.
name: bids
rules:
  - name: files of a session's datatype
    include: ["path=~^sub-[^/]+/ses-[^/]+/[^/]+/.+$!r"]
    mappings:
      - path=sub-{subject.label}/ses-{session.label}/{acquisition.label}/{file.name:**}
  - name: files of a session
    level: session
    include: ["path=~^sub-[^/]+/ses-[^/]+/[^/]+$!r"]
    mappings:
      - path=sub-{subject.label}/ses-{session.label}/{file.name}
  - name: files of a datatype, no sessions
    include: ["path=~^sub-[^/]+/[^/]+/.+$!r"]
    mappings:
      - path=sub-{subject.label}/{acquisition.label}/{file.name:**}
    defaults:
      - session.label=01
  - name: files of a subject
    level: subject
    include: ["path=~^sub-[^/]+/[^/]+$!r"]
    mappings:
      - path=sub-{subject.label}/{file.name}
  - name: files of the dataset
    level: project
    mappings:
      - path={file.name:**}
"""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """`title` and `description` are for people."""

    name: str
    title: str
    description: str
    text: str


_ALL = (
    BuiltIn(
        "standard", "Standard", "DICOM by header; other files beside the DICOM around them, or by folder.", STANDARD
    ),
    BuiltIn("dicom-only", "DICOM only", "DICOM by header; every other file is skipped.", DICOM_ONLY),
    BuiltIn("by-path", "By path", "Every file by its last three folders: subject, session, acquisition.", BY_PATH),
    BuiltIn("bids", "BIDS", "A BIDS dataset by its sub-, ses- and datatype folders.", BIDS),
)
BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType({one.name: one for one in _ALL})
