"""A Django application that honours method overrides, as gunicorn serves it. RECORD in the environment."""
import os

import django.conf
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, UnreadablePostError
from django.urls import re_path

from record import Record

record = Record(os.environ["RECORD"])


def override(get_response):
    """The middleware of many applications: a header, a parameter of the query, or one of a form."""

    def middleware(request):
        request.sent_method = request.method
        named = request.META.get("HTTP_X_HTTP_METHOD_OVERRIDE") or request.GET.get("_method")
        try:
            named = named or request.POST.get("_method")
        except UnreadablePostError:
            pass
        if named:
            request.method = named.strip().upper()
        return get_response(request)

    return middleware


def read(request):
    try:
        # Django reads nothing of a body that announces no length; applications that want it read on.
        body = request.body + request.META["wsgi.input"].read()
        whole = len(body) >= int(request.META.get("CONTENT_LENGTH") or 0)
    except UnreadablePostError:
        body, whole = b"", False
    except django.http.request.RawPostDataException:
        # A multipart form was read as such.
        body, whole = None, True
    headers = [(name.removeprefix("HTTP_"), value) for name, value in request.META.items()
               if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")]
    number = record.write(method=request.sent_method, effective=request.method, target=request.META["RAW_URI"],
                          routed=request.path_info, headers=headers, whole=whole,
                          body=body if body is None else body.decode("latin-1"))
    return HttpResponse(headers={"X-Read": number, "Content-Length": "0"})


urlpatterns = [re_path("", read)]

django.conf.settings.configure(
    SECRET_KEY="only for this run", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, APPEND_SLASH=False,
    MIDDLEWARE=[__name__ + ".override"],
)
application = get_wsgi_application()
