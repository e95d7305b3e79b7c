"""From one header to where its instance belongs. Total: a tag that says nonsense leaves its field empty."""

import re
from datetime import date, tzinfo
from zoneinfo import ZoneInfo

from importer.core import moments, people
from importer.core.labels import clean_acquisition_label, clean_label, clean_text
from importer.core.records import Header, Mapped, Moment

_MODALITY_LENGTH = 16
_ACCESSION_LENGTH = 64
_UID_LENGTH = 64
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.0*)?")


def map_header(header: Header, *, zone: ZoneInfo) -> Mapped:
    """`zone` is where times without an offset of their own were recorded."""
    recorded = moments.parse_offset(_first(header, "TimezoneOffsetFromUTC")) or zone
    session_time = _session_time(header, zone=recorded)
    acquisition_time = _acquisition_time(header, zone=recorded)
    session_label, session_is_time = _session_label(header, session_time)
    acquisition_label, acquisition_is_time = _acquisition_label(header, acquisition_time)
    firstname, lastname = people.person(header.get("PatientName"))
    return Mapped(
        subject_label=clean_label(header.get("PatientID")),
        session_label=session_label,
        session_uid=_uid(header, "StudyInstanceUID"),
        acquisition_label=acquisition_label,
        acquisition_uid=_uid(header, "SeriesInstanceUID"),
        session_label_is_time=session_is_time,
        acquisition_label_is_time=acquisition_is_time,
        session_time=session_time,
        acquisition_time=acquisition_time,
        firstname=firstname,
        lastname=lastname,
        sex=people.sex(header.get("PatientSex")),
        birth_date=people.birth_date(_first(header, "PatientBirthDate")),
        age_seconds=_age(header, acquisition_time),
        weight_kg=people.weight_kg(_first(header, "PatientWeight")),
        operator=people.operators(header.operators),
        accession_number=clean_text(header.get("AccessionNumber"), _ACCESSION_LENGTH),
        modality=_modality(header),
        instance_name=instance_name(header),
    )


def instance_name(header: Header) -> str:
    """A member's name in its series' archive."""
    return f"{_uid(header, 'SOPInstanceUID')}.{_modality(header) or 'NA'}.dcm"


def _first(header: Header, keyword: str) -> str:
    return header.get(keyword).split("\\", 1)[0].strip()


def _uid(header: Header, keyword: str) -> str:
    return clean_label(header.get(keyword), _UID_LENGTH)


def _modality(header: Header) -> str:
    return clean_label(_first(header, "Modality"), _MODALITY_LENGTH)


def _age(header: Header, acquired: Moment | None) -> int | None:
    on: date | None = acquired.at.date() if acquired else None
    return people.age_seconds(_first(header, "PatientAge"), born=_first(header, "PatientBirthDate"), on=on)


def _dated(header: Header, what: str, *, zone: tzinfo) -> Moment | None:
    """`what` is Study, Series or Acquisition."""
    return moments.from_date_and_time(_first(header, f"{what}Date"), _first(header, f"{what}Time"), zone=zone)


def _hidden(header: Header, keyword: str, *, zone: tzinfo) -> Moment | None:
    return moments.from_uid(header.get(keyword), zone=zone)


def _acquired(header: Header, *, zone: tzinfo) -> Moment | None:
    stated = moments.from_date_time(_first(header, "AcquisitionDateTime"), zone=zone)
    return stated or _dated(header, "Acquisition", zone=zone)


def _session_time(header: Header, *, zone: tzinfo) -> Moment | None:
    return (
        _dated(header, "Study", zone=zone)
        or _hidden(header, "StudyInstanceUID", zone=zone)
        or _dated(header, "Series", zone=zone)
        or _hidden(header, "SeriesInstanceUID", zone=zone)
        or _acquired(header, zone=zone)
    )


def _acquisition_time(header: Header, *, zone: tzinfo) -> Moment | None:
    return (
        _acquired(header, zone=zone)
        or _dated(header, "Series", zone=zone)
        or _hidden(header, "SeriesInstanceUID", zone=zone)
        or _dated(header, "Study", zone=zone)
        or _hidden(header, "StudyInstanceUID", zone=zone)
    )


def _session_label(header: Header, moment: Moment | None) -> tuple[str, bool]:
    """The label, and whether a moment made it."""
    described = clean_label(header.get("StudyDescription"))
    if described or moment is None:
        return described or _uid(header, "StudyInstanceUID"), False
    return moments.as_label(moment), True


def _acquisition_label(header: Header, moment: Moment | None) -> tuple[str, bool]:
    described = _described(header)
    text = described or moments.as_label(moment) or _uid(header, "SeriesInstanceUID")
    number = _series_number(header)
    label = clean_acquisition_label(f"{number} - {text}" if number and text else text)
    return label, bool(moment and not described)


def _described(header: Header) -> str:
    """The first of the two that has anything left once cleaned, uncleaned: cleaning comes after the prefix."""
    return next(filter(clean_label, (header.get(k) for k in ("SeriesDescription", "ProtocolName"))), "").strip()


def _series_number(header: Header) -> str:
    """Without leading zeros; empty for none and for 0, which gives no prefix."""
    text = _first(header, "SeriesNumber")
    number = int(float(text)) if _NUMBER.fullmatch(text) else 0
    return str(number) if number else ""
