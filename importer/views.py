from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def imports(request: HttpRequest) -> HttpResponse:
    return render(request, "watcher/dashboard.html")


def import_page(request: HttpRequest, job_id: int) -> HttpResponse:
    return render(request, "watcher/dashboard.html")
