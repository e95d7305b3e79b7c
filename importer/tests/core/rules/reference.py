"""The published reference libraries (fw-meta, fw-utils, fw-file; MIT licence), asked about generated cases.

Run as a program of its own: importing fw-file changes how pydicom reads, for the whole process. JSON comes in on standard
input, `{"headers": [base64, …], "rules": [[rule, [file, …]], …]}`; answers of the same shape go to standard output.
"""

import base64
import contextlib
import io
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

from fw_file.dicom import DICOM, get_config
from fw_meta.imports import ImportFilter, ImportLevel, ImportRule, MetaExtractor, validate_rule_filters


def header(data: bytes, path: Path) -> dict[str, object]:
    """What `get_meta` says about one instance, or the kind of error."""
    path.write_bytes(data)
    try:
        return dict(DICOM(path, stop_before_pixels=True).get_meta().items())
    except Exception as error:  # noqa: BLE001  whatever it raises is its answer
        return {"error": type(error).__name__}


def compiled(rule: dict[str, object]) -> tuple[ImportRule, MetaExtractor] | str:
    try:
        made = ImportRule(**rule)
        validate_rule_filters(made, ImportFilter)
        extractor = MetaExtractor(
            mappings=made.mappings,
            defaults=rule.get("defaults"),
            overrides=rule.get("overrides"),
            level=ImportLevel(made.level).value,
        )
    except Exception as error:  # noqa: BLE001
        return str(error).splitlines()[0]
    return made, extractor


def placed(rule: ImportRule, extractor: MetaExtractor, file: dict[str, object]) -> dict[str, object]:
    """`{"taken": bool, "fields": {…}}`, or the kind of error."""
    try:
        fields = dict(extractor.extract(file).items())
        return {"taken": rule.match(file), "fields": fields}
    except Exception as error:  # noqa: BLE001
        return {"error": type(error).__name__}


def rules(rule: dict[str, object], files: list[dict[str, object]]) -> list[dict[str, object]]:
    made = compiled(rule)
    if isinstance(made, str):
        return [{"refused": made} for _ in files]
    return [placed(*made, file) for file in files]


def main() -> None:
    logging.disable()
    get_config()  # only this switches on what its reader repairs, such as backslashes in single values
    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        path = Path(folder) / "one.dcm"
        answers = {
            "headers": [header(base64.b64decode(data), path) for data in asked.get("headers", ())],
            "rules": [rules(rule, files) for rule, files in asked.get("rules", ())],
        }
    json.dump(answers, sys.stdout, default=str)


if __name__ == "__main__":
    main()
