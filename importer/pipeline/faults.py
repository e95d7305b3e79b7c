"""A fault of ours, told in a log."""

import traceback


def described(error: BaseException) -> str:
    """What kind it was and where it came from, causes first. Never its text: that may quote a label or another tag."""
    before = error.__cause__ or error.__context__
    told = f"{described(before)}\nwhereupon " if before is not None else ""
    return f"{told}{type(error).__name__} at\n{''.join(traceback.format_tb(error.__traceback__))}"
