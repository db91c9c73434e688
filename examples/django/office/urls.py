"""The addresses. `/logout` is not among them: that one is the gate's."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from notes import views

urlpatterns = [
    path("", views.home, name="home"),
    path("notes/", views.add_note, name="add_note"),
    path("files/", views.receive_file, name="receive_file"),
    path("whoami/", views.whoami, name="whoami"),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
