# Every task of this project. `make help` lists them; scripts/setup.py does all set-up.

PYTHON ?= python3
HOST ?=
PORT ?=
AUDIO ?=
PART ?=
MINUTES ?=
CUTS ?=
SESSIONS ?=
HOURS ?=
UPGRADE ?=
SPEAKERS ?=
FRAMES ?=
STRICT ?=
SEED ?=
CODEC ?=

BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade)
LOCK := $(COMPILE) pyproject.toml --extra server --extra whisper --extra postgres --extra redis --extra text --group build

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-check setup-test setup-engines models run check test test-engines api-test client-test accuracy bench context trust chaos fuzz docs lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: ## Make .venv and install the locked packages (nothing to do: under a second)
	@$(PYTHON) scripts/setup.py run

setup-check:
	@$(PYTHON) scripts/setup.py check

setup-test:
	@$(PYTHON) scripts/setup.py test

# FunASR is installed by pip after the locked packages, torch first: pip takes the build for this machine, FunASR whatever is there.
setup-engines:
	@$(PYTHON) scripts/setup.py engines
	@cmp -s requirements/funasr.txt .venv-engines/funasr.stamp || { \
		echo 'setup-engines: FunASR and torch, a few minutes and 2 GB' && \
		.venv-engines/bin/python -m pip install --quiet torch==2.13.0 && \
		.venv-engines/bin/python -m pip install --quiet --requirement requirements/funasr.txt && \
		cp requirements/funasr.txt .venv-engines/funasr.stamp; }

models: setup ## Fetch the default models that are not there yet
	@$(BIN)/asr-service models pull

run: models ## Start the service on HOST:PORT (default 127.0.0.1:8000)
	@exec $(BIN)/asr-service serve $(if $(HOST),--host '$(HOST)') $(if $(PORT),--port '$(PORT)')

check: setup-check ## Format, lint, types, import rules; unit, contract and architecture tests
	@echo 'check: format (black)'
	@$(BIN)/black --check --quiet --diff .
	@echo 'check: lint (ruff)'
	@$(BIN)/ruff check --quiet .
	@echo 'check: types (mypy --strict)'
	@$(BIN)/mypy
	@echo 'check: import rules (lint-imports)'
	@$(BIN)/lint-imports --no-logo
	@echo 'check: unit, contract and architecture tests'
	@$(BIN)/python -m pytest --quiet --junitxml=build/check.xml tests/unit tests/contract tests/architecture

test: setup-test models ## The whole test suite with its coverage gates
	@rm -rf build/coverage
	@echo 'test: the whole suite, measuring coverage'
	@$(BIN)/python -m scripts.run_tests
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage xml --quiet
	@echo 'test: coverage of everything, at least 85 %'
	@$(BIN)/coverage report --fail-under=85
	@echo 'test: coverage of the domain, at least 95 %'
	@$(BIN)/coverage report --include='*/asr_service/domain/*' --fail-under=95
	@echo 'test: coverage of the wire codecs, at least 95 %'
	@$(BIN)/coverage report --include='*/asr_service/app/api/v1/websocket/protocols/*' --fail-under=95

test-engines: setup-engines ## The tests of the engines of optional extras, in an environment of their own
	@echo 'test-engines: fetching their models'
	@.venv-engines/bin/asr-service models pull whisper-base silero-vad moonshine-tiny-en phrases librivox
	@echo 'test-engines: tests/engines'
	@.venv-engines/bin/python -m pytest --quiet --junitxml=build/test-engines.xml tests/engines

api-test: setup-check ## Send 2,000 generated requests to every route, and compare the answers with their description
	@API_CASES=2000 $(BIN)/python -m pytest --quiet tests/integration/test_openapi_document.py

client-test: setup-check models ## Install LiveKit Agents and Pipecat, and have them hear recordings through this service
	@$(BIN)/python -m pytest --quiet tests/voice_agents

accuracy: setup-check models ## Measure error rates on the recordings in AUDIO=folder
	@test -n '$(AUDIO)' || { echo 'accuracy: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.accuracy '$(AUDIO)'

bench: $(if $(filter engines,$(PART)),setup-engines) setup-check models ## Measure speed on the recordings in AUDIO=folder (10 minutes; PART=live, offline, or engines for several models)
	@test -n '$(AUDIO)' || { echo 'bench: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(if $(filter engines,$(PART)),.venv-engines/bin,$(BIN))/python -m scripts.benchmark '$(AUDIO)' $(if $(PART),--part '$(PART)') \
		$(if $(SPEAKERS),--speakers '$(SPEAKERS)') $(if $(STRICT),--strict)

context: setup-check models ## Find the shortest context that a Whisper model may be given, on the recordings in AUDIO=folder
	@test -n '$(AUDIO)' || { echo 'context: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.encoder_context '$(AUDIO)'

trust: setup-check models ## Show on AUDIO=folder that no word is lost or invented: PART=silence, cuts, monologue, sessions or long
	@test -n '$(AUDIO)' -a -n '$(PART)' || { echo 'trust: for example AUDIO=recordings PART=cuts' >&2; exit 2; }
	@$(BIN)/python -m scripts.trust '$(AUDIO)' '$(PART)' $(if $(MINUTES),--minutes '$(MINUTES)') $(if $(CUTS),--cuts '$(CUTS)') \
		$(if $(SESSIONS),--sessions '$(SESSIONS)') $(if $(HOURS),--hours '$(HOURS)')

fuzz: setup-check ## Feed every wire codec FRAMES (default 100,000) damaged and random frames (CODEC, SEED)
	@$(BIN)/python -m tests.fixtures.codec_fuzz $(if $(FRAMES),--frames '$(FRAMES)') $(if $(CODEC),--codec '$(CODEC)') \
		$(if $(SEED),--seed '$(SEED)')

chaos: setup-test models ## Break connections, servers and databases under live sessions on AUDIO=folder (30 minutes; PART, SEED)
	@test -n '$(AUDIO)' || { echo 'chaos: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.chaos '$(AUDIO)' $(addprefix --part ,$(PART)) $(if $(SEED),--seed '$(SEED)')

docs: setup-check ## Write what is written from the code: .env.example, docs/configuration.md, docs/api/asyncapi.yaml, …
	@$(BIN)/python -m asr_service.infrastructure.config.reference
	@$(BIN)/python -m scripts.openapi build/openapi.json
	@$(BIN)/python -m scripts.asyncapi docs/api
	@$(BIN)/python -m scripts.engine_matrix docs/engine-matrix.md

lock: setup-check ## Compile requirements/*.lock from pyproject.toml (UPGRADE=1: to the newest versions)
	@echo 'lock: requirements/runtime.lock'
	@$(LOCK) --output-file requirements/runtime.lock
	@echo 'lock: requirements/dev.lock'
	@$(LOCK) --group dev --constraint requirements/runtime.lock --output-file requirements/dev.lock
	@echo 'lock: requirements/livekit.lock'
	@$(COMPILE) --group livekit --output-file requirements/livekit.lock
	@echo 'lock: requirements/pipecat.lock'
	@$(COMPILE) --group pipecat --output-file requirements/pipecat.lock
	@echo 'lock: requirements/engines.lock'
	@$(LOCK) --extra sherpa --group engines --constraint requirements/dev.lock --output-file requirements/engines.lock

clean: ## Remove build results and caches (.venv and downloaded models stay)
	@rm -rf build dist .hypothesis .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find src tests scripts -type d -name __pycache__ -prune -exec rm -rf {} +
