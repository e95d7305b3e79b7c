"""The archive's tree, and who may do what in it."""

from hierarchy.models.containers import Acquisition, Container, Group, Project, Session, Sex, Subject
from hierarchy.models.files import DigestOf, File, FileVersion, Manifest
from hierarchy.models.people import Membership, Role

__all__ = [
    "Acquisition",
    "Container",
    "DigestOf",
    "File",
    "FileVersion",
    "Group",
    "Manifest",
    "Membership",
    "Project",
    "Role",
    "Session",
    "Sex",
    "Subject",
]
