"""The JSON schema of a rules file, for editors."""

from typing import Any

from importer.core.rules.parsing import MOST_LINES, MOST_RULES
from importer.core.states import Level, MissingMeta, Strategy, UidScope

_TEXT = {"type": "string"}
_LINES = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "maxItems": MOST_LINES}]}
_VALUE = {"type": ["string", "number", "boolean", "null"]}
_SETTINGS = {
    "anyOf": [*_LINES["anyOf"], {"type": "object", "additionalProperties": _VALUE, "maxProperties": MOST_LINES}]
}


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    rules = {"type": "array", "items": _rule(), "minItems": 1, "maxItems": MOST_RULES, "description": _FIRST}
    whole = {
        "type": {"const": "import"},
        "name": {**_TEXT, "maxLength": 64},
        "label": {**_TEXT, "maxLength": 64, "description": "Another word for name."},
        "description": {**_TEXT, "maxLength": 2000},
        "include": _said(_LINES, "Only files for which one of these filters holds are looked at."),
        "exclude": _said(_LINES, "Files for which one of these filters holds are not looked at."),
        "conflict_strategy": _one_of(Strategy, "What happens to what conflicts, unless the import says otherwise."),
        "uid_scope": _one_of(UidScope, "Where a UID may be only once."),
        "missing_meta": _one_of(MissingMeta, "What happens to DICOM without a label."),
        "rules": rules,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pratique rules",
        "anyOf": [rules, {"type": "object", "properties": whole, "required": ["rules"], "additionalProperties": False}],
    }


_FIRST = "The first rule that matches a file takes it."


def _said(kind: dict[str, Any], description: str) -> dict[str, Any]:
    return {**kind, "description": description}


def _one_of(values: Any, description: str) -> dict[str, Any]:
    return {"enum": [value.value for value in values], "description": description}


def _rule() -> dict[str, Any]:
    mappings = _said(_SETTINGS, "template=pattern, such as path={subject}/{session}/{acquisition}/*.")
    defaults = _said(_SETTINGS, "field=value for what nothing else says.")
    overrides = _said(_SETTINGS, "field=value over everything; an empty value deletes the field.")
    properties = {
        "name": _said(_TEXT, "What the rule is called in reports and when trying it."),
        "level": {
            "enum": [level.value for level in (Level.ACQUISITION, Level.SESSION, Level.SUBJECT, Level.PROJECT)],
            "description": "Where its files go; every level above needs a label. Default: acquisition.",
        },
        "type": _said(_TEXT, "dicom reads headers, and takes DICOM only; any other word is the file's type."),
        "include": _said(_LINES, "The rule takes a file for which any of these filters holds. Default: every file."),
        "exclude": _said(_LINES, "The rule takes no file for which any of these filters holds."),
        "group_by": _said(_LINES, "Further fields that tell apart what is zipped together."),
        "zip": {"type": "boolean", "description": "Default: DICOM is zipped by series, nothing else is."},
        "zip_single": {"type": "boolean", "description": "Whether a group of one file is zipped. Default: true."},
        "dicom_instance_name": _said(_TEXT, "A member's name. Default: {SOPInstanceUID}.{Modality|NA}.dcm."),
        "dicom_group_by": _said(
            _LINES, "Keywords that tell series apart. Default: StudyInstanceUID, SeriesInstanceUID."
        ),
        "dicom_split_localizer": {"type": "boolean", "description": "Split off odd images by geometry. Default: true."},
        "beside_dicom": {"type": "boolean", "description": "A file goes where the DICOM around it goes."},
    }
    for plural, singular, meant in (
        ("mappings", "mapping", mappings), ("defaults", "default", defaults), ("overrides", "override", overrides),
    ):  # fmt: skip
        properties |= {plural: meant, singular: meant}
    return {"type": "object", "properties": properties, "additionalProperties": False}
