"""How much names look like those of subjects, sessions or acquisitions."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Role(StrEnum):
    SUBJECT = "subject"
    SESSION = "session"
    ACQUISITION = "acquisition"


ROLES = tuple(Role)
MOST_VALUES = 64
_MOSTLY = 0.9

_SUBJECT_WORD = (
    r"(?:sub|subj|subject|patient|pat|participant|pt|pid|case|mouse|rat|animal|volunteer|vol|control|ctrl|hc|id)"
)
_SESSION_WORD = (
    r"(?:ses|sess|session|visit|vis|tp|timepoint|wave|exam|scan|day|week|wk|month|mon|mo|year|yr|round|followup|fu)"
)
_ACQUISITION_WORDS = """
    t1 t1w t2 t2w t2star t2s t1c t1gd flair dwi dti bold func anat fmap rest rsfmri fmri epi gre localizer localiser loc
    scout survey mprage mp2rage memprage spgr perf perfusion asl swi pd pdw pet ct mr mri adc b0 b1000 task field map
    fieldmap axial ax sag sagittal cor coronal angio tof mra dicom dicoms dcm nifti structural space spin echo dynamic
    dce dsc eeg meg nirs ieeg beh motion xa us nm cbf qsm hires highres diffusion resting mrs spect raw series head neck
    thorax
"""
_DAY = r"(?:19|20)\d{2}(?P<s>[-_.]?)(?:0[1-9]|1[0-2])(?P=s)(?:0[1-9]|[12]\d|3[01])"
_DATE = rf"{_DAY}(?:[-_T ]?\d{{2}}[-_.:]?\d{{2}}(?:[-_.:]?\d{{2}})?)?"

_SUBJECT = re.compile(
    rf"{_SUBJECT_WORD}[-_ .]?[A-Za-z]{{0,3}}\d+[A-Za-z]?|{_SUBJECT_WORD}[-_ ][A-Za-z0-9]+", re.IGNORECASE
)
_SUBJECT_LIKE = re.compile(
    r"[SPCMRH]0*\d{1,6}[A-Za-z]?|[A-Za-z]{1,8}[-_]?\d{2,8}[A-Za-z]?|\d{2,7}(?:-\d{2,4})?", re.IGNORECASE
)
_SESSION = re.compile(
    rf"{_SESSION_WORD}[-_ .]?\d{{0,4}}[A-Za-z]?|{_SESSION_WORD}[-_ ][A-Za-z0-9]+|V\d{{1,3}}|baseline|base|bl|screening"
    rf"|pre|post|initial|(?:re)?test|{_DATE}|\d{{1,3}}(?:m|mo|months?|y|yrs?|w|d)",
    re.IGNORECASE,
)
_SESSION_LIKE = re.compile(r"[MYDWT]\d{1,3}|\d{1,2}|[A-Z]", re.IGNORECASE)
_TIMEPOINTS = re.compile(r"T\d{1,2}", re.IGNORECASE)
_NUMBERED = re.compile(r"\d{1,4}\s*[-_. ]+\s*[A-Za-z].*")
_TOKEN = re.compile(r"[A-Za-z]+\d*[A-Za-z]*|\d+")
_SERIAL = re.compile(
    r"(?:IM|IMG|I|image|slice|MR|CT|z|file|frame|E\d+S\d+I)?[-_. ]?\d{1,8}|\d+(?:\.\d+){4,}", re.IGNORECASE
)
_KNOWN = frozenset(_ACQUISITION_WORDS.split())


def likeness(role: Role, values: Iterable[str]) -> float:
    """Between 0 (nothing like it) and 1 (all of them say so)."""
    some = sorted(set(values))[:MOST_VALUES]
    if not some:
        return 0.0
    if role is not Role.SUBJECT and _are_timepoints(some):
        return 1.0 if role is Role.SESSION else 0.0
    return sum(_alike(role, value) for value in some) / len(some)


def serial(values: Iterable[str]) -> bool:
    """Numbered like the images of a series: such names say nothing about a place."""
    some = sorted(set(values))[:MOST_VALUES]
    return len(some) > 1 and sum(bool(_SERIAL.fullmatch(value)) for value in some) > _MOSTLY * len(some)


def _are_timepoints(values: list[str]) -> bool:
    """T1 and T2 alone are weightings; with T0 or T3 among them they are times."""
    upper = {value.upper() for value in values}
    return bool(upper - {"T1", "T2"}) and all(_TIMEPOINTS.fullmatch(value) for value in upper)


@lru_cache(maxsize=8192)
def _alike(role: Role, value: str) -> float:
    if role is Role.SUBJECT:
        return _stepped(_SUBJECT, _SUBJECT_LIKE, value, but=_SESSION)
    if role is Role.SESSION:
        return _stepped(_SESSION, _SESSION_LIKE, value)
    words = [word.lower() for word in _TOKEN.findall(value)]
    known = any(word in _KNOWN or word.rstrip("0123456789") in _KNOWN for word in words)
    return 1.0 if known else 0.6 if _NUMBERED.fullmatch(value) else 0.0


def _stepped(
    sure: re.Pattern[str], perhaps: re.Pattern[str], value: str, *, but: re.Pattern[str] | None = None
) -> float:
    if sure.fullmatch(value):
        return 1.0
    if not perhaps.fullmatch(value) or (but is not None and but.fullmatch(value)):
        return 0.0
    return 0.5
