"""Numbers, sizes and times as people write them."""

from datetime import datetime, timedelta

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_ONE_DECIMAL_BELOW = 10
_NOW_SECONDS = 2
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def count(number: int | None) -> str:
    """`12,480`; a dash where nothing was counted."""
    return "—" if number is None else f"{number:,}"


def size(number: float | None) -> str:
    """Bytes in decimal units, as discs and networks are sold: `1.4 GB`."""
    if number is None:
        return "—"
    value = float(number)
    for unit in _UNITS:
        if round(value) < _STEP or unit == _UNITS[-1]:
            break
        value /= _STEP
    if unit == _UNITS[0]:
        return "1 byte" if value == 1 else f"{value:.0f} bytes"
    return f"{value:.1f} {unit}" if round(value, 1) < _ONE_DECIMAL_BELOW else f"{value:.0f} {unit}"


def duration(span: timedelta | float | None) -> str:
    """The two largest units that say something: `2 h 5 min`, `1 min 30 s`, `0.4 s`."""
    if span is None:
        return "—"
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if round(seconds, 1) < _ONE_DECIMAL_BELOW:
        return f"{max(seconds, 0):.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for length, unit in _STEPS:
        whole, left = divmod(left, length)
        if whole or parts:
            parts.append(f"{whole} {unit}" if whole else "")
    return " ".join(part for part in parts[:2] if part)


def since(at: datetime, *, now: datetime) -> str:
    """`3 min ago`; a clock that runs ahead elsewhere counts as now."""
    seconds = round((now - at).total_seconds())
    if seconds < _NOW_SECONDS:
        return "just now"
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return "just now"


def moment(local: datetime) -> str:
    """`23 Nov 2025, 12:47:09`, in the zone that it was given in."""
    return f"{local.day} {local:%b %Y, %H:%M:%S}"
