"""Where bytes are kept.

Shares its import name with the library django-storages: `extend_path` appends the library's folder, so that our
modules are found first and theirs after. Never make `base`, `compress`, `utils` or `backends` here (a test guards it).
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
