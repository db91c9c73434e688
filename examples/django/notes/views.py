"""The pages."""

import hashlib

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from .forms import FileForm, NoteForm
from .models import Note


@login_required
def home(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return show(request, NoteForm())


@login_required
@require_POST
def add_note(request):
    form = NoteForm(request.POST)
    if not form.is_valid():
        return show(request, form)
    form.instance.author = request.gate.email if request.gate else ""
    form.save()
    messages.success(request, "The note was added.")
    return redirect("home")


@login_required
@require_POST
def receive_file(request):
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, "Choose a file.")
        return redirect("home")
    file = form.cleaned_data["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    messages.success(request, f"{file.name}: {file.size} bytes, SHA-256 {digest.hexdigest()}.")
    # A whole address, as many applications write it: it must be the public one.
    return HttpResponseRedirect(request.build_absolute_uri(reverse("home")))


def whoami(request):
    """What the gate told about this request, to look at while setting up."""
    told = {
        name: value
        for name, value in request.META.items()
        if name.startswith(("HTTP_X_", "HTTP_REMOTE_", "REMOTE_")) and "TOKEN" not in name
    }
    return JsonResponse(
        {
            "address": request.build_absolute_uri(),
            "told": told,
            "cookies": sorted(request.COOKIES),
            "django_user": request.user.get_username(),
            "django_email": getattr(request.user, "email", ""),
        }
    )


def show(request, form):
    return render(request, "notes/home.html", {
        "note_form": form,
        "file_form": FileForm(),
        "notes": Note.objects.all()[:10],
        "visits": request.session.get("visits", 0),
    })
