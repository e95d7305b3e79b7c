"""The one place that turns a domain refusal into an HTTP answer."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hierarchy.errors import NotAllowed, Refused


class RefusalMiddleware:
    """Refused is 409 with a sentence to read, NotAllowed is 403; everything else is a bug and stays one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, NotAllowed):
            raise PermissionDenied(str(error)) from error
        if isinstance(error, Refused):
            return render(request, "refused.html", {"reason": str(error)}, status=409)
        return None
