"""What the office remembers."""

from django.db import models


class Note(models.Model):
    text = models.CharField(max_length=200)
    # Who wrote it, as the gate says it: nobody can write in another's name.
    author = models.EmailField(blank=True)
    written_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written_at"]

    def __str__(self):
        return self.text
