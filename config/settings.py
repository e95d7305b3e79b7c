"""One file, read from the environment through `config.env`; starts with no variable set (docs/settings.md)."""

import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dj_database_url
import dj_email_url
from django.core.exceptions import ImproperlyConfigured

from config.env import (
    encryption_keys,
    envbool,
    envint,
    envlist,
    envsecret,
    envstr,
    kept_secret,
    new_encryption_key,
)

BASE_DIR = Path(__file__).resolve().parent.parent

PRATIQUE_HOME = Path(envstr("PRATIQUE_HOME", str(BASE_DIR / "var"))).resolve()
DATABASE_URL = envsecret("DATABASE_URL")
EMBEDDED = not DATABASE_URL or DATABASE_URL.startswith("sqlite")

DEBUG = envbool("DEBUG", default=False)
SECRET_KEY = envsecret("SECRET_KEY")
if not SECRET_KEY and EMBEDDED:
    SECRET_KEY = kept_secret(PRATIQUE_HOME / "secret_key")
if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY (or SECRET_KEY_FILE): it signs the sessions of a server installation.")
PRATIQUE_SECRET_KEYS = encryption_keys(envsecret("PRATIQUE_SECRET_KEYS"))
if not PRATIQUE_SECRET_KEYS and EMBEDDED:
    PRATIQUE_SECRET_KEYS = encryption_keys(kept_secret(PRATIQUE_HOME / "secret_keys", new_encryption_key))
ALLOWED_HOSTS = envlist("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = envlist("CSRF_TRUSTED_ORIGINS", [])

PRATIQUE_BROKER_URL = envsecret("PRATIQUE_BROKER_URL")
PRATIQUE_ARCHIVE_URL = envstr("PRATIQUE_ARCHIVE_URL", f"file://{PRATIQUE_HOME}/archive")
PRATIQUE_QUARANTINE_URL = envstr("PRATIQUE_QUARANTINE_URL", f"file://{PRATIQUE_HOME}/quarantine")
PRATIQUE_STAGING_URL = envstr("PRATIQUE_STAGING_URL", f"file://{PRATIQUE_HOME}/staging")
# What opens the places above where they are object stores; without these, the machine's own identity does.
PRATIQUE_S3_ACCESS_KEY = envsecret("PRATIQUE_S3_ACCESS_KEY")
PRATIQUE_S3_SECRET_KEY = envsecret("PRATIQUE_S3_SECRET_KEY")
PRATIQUE_S3_SESSION_TOKEN = envsecret("PRATIQUE_S3_SESSION_TOKEN")
PRATIQUE_AZURE_ACCOUNT_KEY = envsecret("PRATIQUE_AZURE_ACCOUNT_KEY")
PRATIQUE_AZURE_SAS_TOKEN = envsecret("PRATIQUE_AZURE_SAS_TOKEN")
PRATIQUE_GOOGLE_SERVICE_ACCOUNT = envsecret("PRATIQUE_GOOGLE_SERVICE_ACCOUNT")
PRATIQUE_LOCAL_ROOTS = [Path(root).resolve() for root in envlist("PRATIQUE_LOCAL_ROOTS", ["/"])]
PRATIQUE_MIN_FREE_BYTES = envint("PRATIQUE_MIN_FREE_BYTES", 64 * 1024 * 1024)
PRATIQUE_LEASE_SECONDS = envint("PRATIQUE_LEASE_SECONDS", 60)
PRATIQUE_VERIFY_DAYS = envint("PRATIQUE_VERIFY_DAYS", 30)
PRATIQUE_VERIFY_SECONDS = envint("PRATIQUE_VERIFY_SECONDS", 300)
PRATIQUE_VERIFY_BYTES = envint("PRATIQUE_VERIFY_BYTES", 20 * 1000**3)
if PRATIQUE_VERIFY_DAYS < 1 or PRATIQUE_VERIFY_SECONDS < 0 or PRATIQUE_VERIFY_BYTES < 1:
    raise ImproperlyConfigured("PRATIQUE_VERIFY_DAYS and _BYTES are 1 or more, PRATIQUE_VERIFY_SECONDS is 0 or more.")
PRATIQUE_UID_SCOPE = envstr("PRATIQUE_UID_SCOPE", "project")
if PRATIQUE_UID_SCOPE not in {"site", "group", "project", "none"}:
    raise ImproperlyConfigured(f"PRATIQUE_UID_SCOPE is {PRATIQUE_UID_SCOPE!r}: write site, group, project or none.")
try:
    # Mistakes in host bits are mistakes: 10.1.2.3/8 is refused.
    PRATIQUE_ALLOWED_NETWORKS = [ip_network(text) for text in envlist("PRATIQUE_ALLOWED_NETWORKS", [])]
except ValueError as error:
    raise ImproperlyConfigured(f"PRATIQUE_ALLOWED_NETWORKS: {error}. Write networks such as 10.1.0.0/16.") from error
PRATIQUE_WATCHER_LOCK = PRATIQUE_HOME / "watcher.lock"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "hierarchy.apps.HierarchyConfig",
    # Dotted on purpose: a wrong path order then fails loudly instead of loading django-storages as an empty app.
    "storages.apps.StoragesConfig",
    "importer.apps.ImporterConfig",
    "watcher.apps.WatcherConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.headers.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.errors.RefusalMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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

_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    # FULL: a source may be deleted after a commit, so a commit must survive a power cut.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;",
}


def _database() -> dict[str, Any]:
    found: dict[str, Any] = dict(
        dj_database_url.parse(DATABASE_URL or f"sqlite:///{PRATIQUE_HOME}/pratique.sqlite3", conn_max_age=60)
    )
    if found["ENGINE"] == "django.db.backends.sqlite3":
        Path(found["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        found["OPTIONS"] = _SQLITE_OPTIONS
    return found


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = envstr("TIME_ZONE", "UTC")
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
BEHIND_TLS = envbool("BEHIND_TLS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # Other hosts of the same domain are not ours to speak for.
    "security.W021",  # Nor is the browsers' preload list.
    "security.W008",  # The proxy that ends TLS redirects; health checks reach us without it.
]

_EMAIL = dj_email_url.parse(envsecret("EMAIL_URL", "console:"))
EMAIL_BACKEND = _EMAIL["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _EMAIL["EMAIL_HOST"], _EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _EMAIL["EMAIL_HOST_USER"], _EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _EMAIL["EMAIL_USE_TLS"], _EMAIL["EMAIL_USE_SSL"]

REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}

CELERY_BROKER_URL = PRATIQUE_BROKER_URL or "filesystem://localhost/"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# None is as many as the machine has cores.
CELERY_WORKER_CONCURRENCY = envint("WORKER_PROCESSES", 0) or None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(PRATIQUE_HOME / "beat")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "importer.tasks.sweep", "schedule": 15.0, "options": {"expires": 15}},
    "drop-leftovers": {"task": "importer.tasks.drop_leftovers", "schedule": 3600.0, "options": {"expires": 3600}},
    "settle": {"task": "watcher.tasks.settle", "schedule": 5.0, "options": {"expires": 5}},
    "run-schedules": {
        "task": "importer.schedule_tasks.run_schedules",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "verify": {"task": "importer.tasks.verify_due", "schedule": 3600.0, "options": {"expires": 3600}},
    "check-storages": {"task": "storages.tasks.check_due", "schedule": 60.0, "options": {"expires": 60}},
}
if not PRATIQUE_BROKER_URL:
    _BROKER = PRATIQUE_HOME / "broker"
    CELERY_BROKER_TRANSPORT = "config.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(_BROKER / "queue"),
        "data_folder_out": str(_BROKER / "queue"),
        "control_folder": str(_BROKER / "control"),
        "polling_interval": 0.1,
    }
    for _folder in ("queue", "control"):
        (_BROKER / _folder).mkdir(parents=True, exist_ok=True)
elif PRATIQUE_BROKER_URL.startswith("redis"):
    # Longer than the longest slice of work, or Redis hands the same message out again.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": envstr("LOG_LEVEL", "INFO")},
    "loggers": {
        # pydicom writes tag values into its warnings: patient data never reaches a log.
        "pydicom": {"level": "CRITICAL"},
        "watchdog": {"level": "WARNING"},
        # These write addresses with the names of objects, and at DEBUG what they sign with.
        **{name: {"level": "WARNING"} for name in ("azure", "boto3", "botocore", "google", "msal", "urllib3")},
    },
}
HOST_NAME = socket.gethostname()
