"""Addresses of the pages of a list whose order is one number, so that a row that has left the list is no obstacle."""

from typing import Any

from django.http import HttpRequest

from hierarchy.paging import Page, address
from importer.page_queries import PAGE, Rows


def paged(request: HttpRequest, rows: Rows[Any], *, key: str = "after") -> Page[Any]:
    """`key` is the parameter of the address that says behind which number the page begins."""
    return Page(
        rows=rows.rows,
        next_url=address(request, key, str(rows.next_after)) if rows.next_after is not None else "",
        first_url=address(request, key, None) if key in request.GET else "",
        step=PAGE,
    )
