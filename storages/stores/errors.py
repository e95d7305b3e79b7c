"""What can go wrong with a store. Texts are for people: what is wrong and what to do. They hold no credential, no body
of an answer and no key (names of patients are found in keys): whoever asked knows which one.
"""

MISSING = "The object is not there."
CHANGED = "The object is not what it was when it was listed."
TAKEN = "There is an object of this name already: nothing is ever written over."
CLOSED = "The object may not be read with the credentials given."
ARCHIVED = "The object lies in an archive tier: restore it there first."


class StoreError(Exception):
    """Any of the below."""


class StoreAway(StoreError):
    """The world is broken, not the object: not reachable, throttling for too long, answers that make no sense.

    Whoever works on it pauses and tries again later.
    """


class StoreDenied(StoreAway):
    """Credentials that are wrong, expired or not allowed to do this."""


class StoreFull(StoreAway):
    """No space left, or over quota."""


class AddressRefused(StoreAway):
    """The endpoint leads to an address that PRATIQUE_ALLOWED_NETWORKS does not allow."""


class BadListing(StoreAway):
    """A listing out of order or that does not add up: nothing may be concluded from it."""


class Missing(StoreError):
    """No object has this key. Never said because a store is away."""


class Changed(StoreError):
    """The object is not the one that was listed: its size, etag or version is another."""


class Taken(StoreError):
    """The key has an object already, which is never written over."""


class BadKey(StoreError):
    """This kind of store cannot hold such a key."""


class Unreadable(StoreError):
    """The object is there, but nobody like us may read it, or it lies in an archive tier: this one, not the store."""
