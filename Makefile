# Every target is what CI runs, word for word. A bare machine needs Python 3.11 or newer and make.
SHELL := /bin/sh
PY := .venv/bin/python
PYTEST := $(PY) -m pytest -q -n 2 --dist worksteal
# The security check is made as for an installation behind TLS; what it may not know is said in config/settings.py.
CHECK := env BEHIND_TLS=True SECRET_KEY= DATABASE_URL= $(PY) manage.py check --deploy --fail-level WARNING

.NOTPARALLEL:
.PHONY: help demo run test lint format bench bench-rules crash screenshots system venv venv-dev

help:
	@echo "make demo         a working installation with a real study in it, to look at (ONCE=1: check it and leave)"
	@echo "make run          web, worker, beat and watcher on this machine, for development"
	@echo "make test         everything that CI runs"
	@echo "make lint         the part of it that needs no test run"
	@echo "make format       let ruff lay out the code"
	@echo "make bench        measure"
	@echo "make bench-rules  measure how fast rules place a million paths"
	@echo "make crash        kill workers at random moments of an import and compare what is stored"
	@echo "make screenshots  a picture of every page"

demo: venv
	@$(PY) scripts/demo.py $(if $(ONCE),--once)

run: venv
	@$(PY) manage.py migrate --no-input -v 0
	@$(PY) manage.py collectstatic --no-input -v 0
	@PATH="$(CURDIR)/.venv/bin:$$PATH" PYTHONPATH="$(CURDIR)" $(PY) -m honcho start

test: system venv-dev azurite
	@scripts/timed.sh "ruff check" $(PY) -m ruff check .
	@scripts/timed.sh "ruff format" $(PY) -m ruff format --check --quiet .
	@scripts/timed.sh "types" $(PY) -m mypy .
	@scripts/timed.sh "layers" .venv/bin/lint-imports --no-logo
	@scripts/timed.sh "migrations" $(PY) manage.py makemigrations --check --dry-run
	@scripts/timed.sh "manage.py check --deploy" $(CHECK)
	@scripts/timed.sh "tests on SQLite" env DATABASE_URL= PRATIQUE_BROKER_URL= $(PYTEST)
	@scripts/timed.sh --last "tests on PostgreSQL and Redis" \
		$(PY) scripts/private_services.py --postgres --redis -- $(PYTEST) --only-database

lint: venv-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	.venv/bin/lint-imports --no-logo
	$(PY) manage.py makemigrations --check --dry-run
	$(CHECK)

format: venv-dev
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: venv-dev
	$(PY) bench/run.py $(ARGS)

bench-rules: venv-dev
	$(PY) bench/rules.py $(ARGS)

crash: venv-dev
	$(PY) scripts/crash.py $(ARGS)

screenshots: system venv-dev
	$(PY) scripts/screenshots.py $(ARGS)

system:
	@scripts/ensure_system.sh

venv:
	@scripts/venv.sh requirements.txt

venv-dev:
	@scripts/venv.sh requirements-dev.txt

azurite:
	@scripts/ensure_azurite.sh
