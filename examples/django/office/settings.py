"""A Django project behind Portcullis. What the gate has to do with is marked with GATE; the rest is
what `django-admin startproject` writes."""

import os
from pathlib import Path
from urllib.parse import urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False

# GATE: where browsers find the gate, as `server.public_url` in its configuration.
PUBLIC_URL = urlsplit(os.environ.get("PUBLIC_URL", "http://127.0.0.1:8080"))
IS_HTTPS = PUBLIC_URL.scheme == "https"

# GATE: it passes Host on unchanged, so the public name is the only one that arrives.
ALLOWED_HOSTS = [PUBLIC_URL.hostname]

# GATE: it ends TLS and tells in this header, which no client can set, what the browser speaks.
# With this CSRF_TRUSTED_ORIGINS can stay empty.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = IS_HTTPS
SESSION_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_SECURE = IS_HTTPS

# GATE: with `cookies.profile = "compat"` the names "sessionid" and "csrftoken", which are Django's,
# too, are the gate's. With "hardened" Django's own are free again.
SESSION_COOKIE_NAME = os.environ.get("SESSION_COOKIE_NAME", "office_sessionid")
CSRF_COOKIE_NAME = os.environ.get("CSRF_COOKIE_NAME", "office_csrftoken")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "notes",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "notes.gate.IdentityMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]

# GATE: "on" makes whoever passed the gate a user of Django, without a second sign-in. "off", the
# usual, leaves Django its own users and its own page to sign in on.
if os.environ.get("GATE_SIGN_IN", "off") == "on":
    MIDDLEWARE.insert(
        MIDDLEWARE.index("notes.gate.IdentityMiddleware") + 1, "notes.gate.SignInMiddleware"
    )
    AUTHENTICATION_BACKENDS = ["notes.gate.SignInBackend"]

ROOT_URLCONF = "office.urls"
WSGI_APPLICATION = "office.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", BASE_DIR / "office.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
