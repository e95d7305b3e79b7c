"""Bodies of calls that refuse what they do not know."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from importer.core.rules.problems import nearest

# Forms of a browser bring it along.
_TOKEN = "csrfmiddlewaretoken"  # noqa: S105  a field's name


class Known(serializers.Serializer[Any]):
    """An option that is not there is refused and never ignored: a misspelt `dry_run` would import."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            words = [name for name, field in self.fields.items() if not field.read_only]
            unknown = [str(key) for key in data if key not in words and key != _TOKEN]
            if unknown:
                raise serializers.ValidationError(
                    {key: [f"There is no {key}.{nearest(key, words)}"] for key in unknown}
                )
        return super().to_internal_value(data)
