"""How gunicorn serves the pages: `gunicorn -c python:config.gunicorn config.wsgi`. Names are gunicorn's own."""

from pathlib import Path

from config.env import envint, envstr

bind = envstr("WEB_BIND", "127.0.0.1:8000")
workers = envint("WEB_WORKERS", 2)
# A thread per slow download; pages need few.
threads = envint("WEB_THREADS", 8)
worker_class = "gthread"
timeout = 60
graceful_timeout = 10
# A worker's sign of life is a file: in memory, a slow disk cannot make it look dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
