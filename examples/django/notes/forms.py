"""The forms of the page. Their `{% csrf_token %}` is Django's; the gate does not look for it."""

from django import forms

from .models import Note


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["text"]


class FileForm(forms.Form):
    file = forms.FileField()
