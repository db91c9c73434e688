"""Django with its own sessions in SQLite, behind gunicorn's threads: one person, one session.

Prints where it listens, and the cookie of the session, as one line of JSON, and becomes gunicorn.
Not an example of how to use it, and nothing of it is shipped.
"""

import json
import os
import socket
import sys

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="of a database that lives as long as the benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    # As `startproject` writes it.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            "CONN_MAX_AGE": int(os.environ["BENCH_CONN_MAX_AGE"]),
        }
    },
)


def me(request):
    """Who the session belongs to."""
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "not signed in"}, status=401)
    return JsonResponse({"email": request.user.email})


urlpatterns = [path("me", me)]
application = get_wsgi_application()


def sign_in(email):
    """Makes the database, the person and the session; the session's cookie."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    call_command("migrate", verbosity=0)
    user = get_user_model().objects.create_user("bench", email, "a long password for the benchmark")
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def main():
    """Signs in, opens the socket, says so, and leaves the rest to gunicorn."""
    cookie = sign_in(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.set_inheritable(True)
    address = "%s:%d" % listener.getsockname()
    print(json.dumps({"listening": address, "cookie": cookie}), flush=True)
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
    gunicorn += ["--worker-class", "gthread", "--workers", "1", "--threads", "4"]
    gunicorn += ["--no-control-socket", "--log-level", "warning"]
    gunicorn += ["--chdir", os.path.dirname(os.path.abspath(__file__)), "server:application"]
    os.execv(sys.executable, gunicorn)


if __name__ == "__main__":
    main()
