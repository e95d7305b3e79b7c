from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "watcher/dashboard.html")


def drop_folder(request: HttpRequest, folder_id: int) -> HttpResponse:
    return render(request, "watcher/dashboard.html")


def batches(request: HttpRequest) -> HttpResponse:
    return render(request, "watcher/dashboard.html")


def batch(request: HttpRequest, batch_id: int) -> HttpResponse:
    return render(request, "watcher/dashboard.html")
