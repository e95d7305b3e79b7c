# syntax=docker/dockerfile:1

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements.txt /tmp/requirements.txt
RUN /venv/bin/pip install --requirement /tmp/requirements.txt

FROM python:3.11-slim-bookworm
# The one who owns what is written into mounted folders: docker compose build --build-arg UID=$(id -u)
ARG UID=1000
ARG GID=1000
RUN groupadd --non-unique --gid "$GID" pratique \
    && useradd --non-unique --uid "$UID" --gid "$GID" --home-dir /var/lib/pratique --shell /usr/sbin/nologin pratique \
    && install --directory --owner "$UID" --group "$GID" --mode 0700 /keys \
    && install --directory --owner "$UID" --group "$GID" /var/lib/pratique /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . /app
# PYTHONPATH: our storages comes before the library's of the same name, whatever a command does to the path.
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PRATIQUE_HOME=/var/lib/pratique \
    WEB_BIND=0.0.0.0:8000
RUN PRATIQUE_HOME=/tmp/build python manage.py collectstatic --no-input && rm -rf /tmp/build
# By number, so that an orchestrator can see that it is not root.
USER ${UID}:${GID}
VOLUME ["/var/lib/pratique"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["python", "scripts/healthy.py", "http://127.0.0.1:8000/health"]
CMD ["gunicorn", "-c", "python:config.gunicorn", "config.wsgi"]
