"""What can go wrong with a store. Texts are for people: what is wrong and what to do; never a credential or an answer's
body.
"""


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
