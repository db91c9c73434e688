"""Who is calling, as the gate says it.

These headers can be believed because nobody reaches this application but through the gate, which
takes away whatever a client sends under such names. So let the application listen on the loopback
address, or on a network that only the gate is in.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware


@dataclass(frozen=True)
class Identity:
    """Somebody who is signed in at the gate."""

    user: str  # A number that is never given twice.
    email: str
    name: str
    role: str


class IdentityMiddleware:
    """Sets `request.gate`, to None where a rule lets strangers pass and one came."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.gate = identity(request)
        return self.get_response(request)


def identity(request):
    if "HTTP_X_AUTH_USER" not in request.META:
        return None
    names = ("USER", "EMAIL", "NAME", "ROLE")
    # The gate percent-encodes what is not ASCII.
    return Identity(*(unquote(request.META.get(f"HTTP_X_AUTH_{name}", "")) for name in names))


class SignInMiddleware(RemoteUserMiddleware):
    """Signs whoever passed the gate in to Django. Somebody else in the same browser gets a session
    of their own, and nobody stays signed in here without the gate."""

    header = "HTTP_X_AUTH_USER"


class SignInBackend(RemoteUserBackend):
    """Makes a user of Django for everybody who comes for the first time. The username is the gate's
    number, because an e-mail address can change hands."""

    def configure_user(self, request, user, created=True):
        user.email = request.gate.email
        user.first_name, _, user.last_name = request.gate.name.partition(" ")
        user.save(update_fields=["email", "first_name", "last_name"])
        return user
