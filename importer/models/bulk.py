"""Rows by the thousand: COPY on PostgreSQL, executemany on SQLite. What `bulk_create` costs in Python is saved here."""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

from django.db import connection, models
from psycopg2.extras import execute_values

PAGE = 1000


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns are database names. The caller holds the transaction; constraints answer as always (IntegrityError)."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    if connection.vendor == "postgresql":
        buffer = StringIO("".join("\t".join(map(_copied, row)) + "\n" for row in rows))
        # Django explains the errors of its own calls only.
        with connection.cursor() as cursor, connection.wrap_database_errors:
            cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN", buffer)
        return
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  names of our own models
        cursor.executemany(statement, [_bound(row) for row in rows])


def update(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, key: str = "id"
) -> None:
    """Each row is the key's value, then the columns'. One statement per PAGE rows on PostgreSQL."""
    if not rows:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    if connection.vendor == "postgresql":
        _update_from_values(model, table, columns, rows, key)
        return
    pairs = ", ".join(f'"{column}" = %s' for column in columns)
    with connection.cursor() as cursor:
        statement = f'UPDATE {table} SET {pairs} WHERE "{key}" = %s'  # noqa: S608  names of our own models
        cursor.executemany(statement, [(*_bound(row[1:]), *_bound(row[:1])) for row in rows])


def _update_from_values(
    model: type[models.Model], table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], key: str
) -> None:
    kinds = {field.column: field.db_type(connection) for field in model._meta.local_concrete_fields}
    kind_of = {column: (kind or "text").replace("bigserial", "bigint") for column, kind in kinds.items()}
    pairs = ", ".join(f'"{column}" = v."{column}"::{kind_of[column]}' for column in columns)
    names = ", ".join(f'"{column}"' for column in (key, *columns))
    same = f'{table}."{key}" = v."{key}"::{kind_of[key]}'
    statement = f"UPDATE {table} SET {pairs} FROM (VALUES %s) AS v({names}) WHERE {same}"  # noqa: S608  our own names
    with connection.cursor() as cursor, connection.wrap_database_errors:
        execute_values(cursor.cursor, statement, [_bound(row) for row in rows], page_size=PAGE)


def _bound(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_simple(value) for value in row)


def _simple(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, uuid.UUID):
        return str(value) if connection.vendor == "postgresql" else value.hex
    if isinstance(value, datetime) and connection.vendor != "postgresql":
        return connection.ops.adapt_datetimefield_value(value)
    return value


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copied(value: Any) -> str:
    """PostgreSQL, COPY, text format."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return str(value).translate(_ESCAPED)
