"""What a header says about containers beyond their labels, as JSON for a Placement's row, and back for the rows."""

from datetime import datetime
from typing import Any

from importer.core.extras import by_level, joined
from importer.core.records import Mapped, Moment
from importer.core.series import Settled


def facts(settled: Settled | Mapped) -> dict[str, Any]:
    """Only what was said: `{"subject": {…}, "session": {…}, "acquisition": {…}, "modality": "MR"}`; from rules also
    `info` and `tags` of each, and the same for `project` and `file`."""
    subject = {
        "firstname": settled.firstname,
        "lastname": settled.lastname,
        "sex": settled.sex,
        "birth_date": settled.birth_date,
    }
    session = {
        **moment(settled.session_time),
        "age_seconds": settled.age_seconds,
        "weight_kg": settled.weight_kg,
        "operator": settled.operator,
        "accession_number": settled.accession_number,
    }
    found = {"subject": subject, "session": session, "acquisition": moment(settled.acquisition_time)}
    said = {
        level: {key: value for key, value in values.items() if value not in {None, ""}}
        for level, values in found.items()
    }
    for level, extra in by_level(settled.extra).items():
        said[level] = joined(said.get(level, {}), extra)
    return {**said, "modality": settled.modality}


def moment(time: Moment | None) -> dict[str, Any]:
    """A time with its offset in minutes east of UTC and its zone's name."""
    if time is None:
        return {}
    offset = time.at.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    return {"timestamp": time.at.isoformat(), "timestamp_offset": minutes, "timestamp_zone": time.zone}


def as_fields(said: dict[str, Any], level: str) -> dict[str, Any]:
    """Values for the container's row."""
    fields = dict(said.get(level, {}))
    if "timestamp" in fields:
        fields["timestamp"] = datetime.fromisoformat(fields["timestamp"])
    return fields
