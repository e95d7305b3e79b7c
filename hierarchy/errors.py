"""What a service may refuse, with a sentence that a person can read. No HTTP in here."""


class Refused(Exception):
    """The request cannot be carried out as things stand; the text says what to do next."""


class NotAllowed(Refused):
    """The actor lacks the role for it."""
