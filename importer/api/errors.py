"""The one error envelope of the API: `{"error": {"code", "message", "detail"}}`."""

from typing import Any

from django.http import Http404
from rest_framework.exceptions import APIException, ErrorDetail, NotAuthenticated, PermissionDenied
from rest_framework.response import Response
from rest_framework.views import exception_handler

from hierarchy.errors import NotAllowed, Refused
from importer.rule_choice import BadRules


def enveloped(error: Exception, context: dict[str, Any]) -> Response | None:
    """Refused is 409, NotAllowed 403, BadRules 400 with every place.

    What is none of ours and none of the framework's stays a bug.
    """
    if isinstance(error, NotAllowed):
        error = PermissionDenied(str(error))
    elif isinstance(error, BadRules):
        problems = [{"line": one.line, "column": one.column, "said": one.said} for one in error.problems]
        return _answer(400, "bad_rules", str(error), {"problems": problems})
    elif isinstance(error, Refused):
        return _answer(409, "refused", str(error), None)
    answer = exception_handler(error, context)
    if answer is None:
        return None
    if isinstance(error, Http404):
        return _answer(404, "not_found", "There is no such thing here, or it is not yours to see.", None)
    code = error.default_code if isinstance(error, APIException) else "permission_denied"
    status = 401 if isinstance(error, NotAuthenticated) else answer.status_code
    detail = getattr(error, "detail", None)
    message = str(detail) if isinstance(detail, ErrorDetail | str) else "The request is not well formed: see detail."
    return _answer(status, code, message, None if isinstance(detail, ErrorDetail | str) else answer.data)


def _answer(status: int, code: str, message: str, detail: Any) -> Response:
    return Response({"error": {"code": code, "message": message, "detail": detail}}, status=status)
