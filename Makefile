.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON := .venv/bin/python
PORT ?= 8080

.PHONY: help
help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: venv ## Bring up a cluster, install climatejobs, run a job, show its result (DATA=FILE.nc VARIABLE=t2m HELM_ARGS="--set a=b" PORT=8080)
	@$(PYTHON) -m climatejobs_demo --port $(PORT) $(if $(DATA),--data "$(DATA)") $(if $(VARIABLE),--variable "$(VARIABLE)") --helm-args="$(HELM_ARGS)"

.PHONY: test
test: venv ## Check the code and run every test, with clusters of their own
	@tools/test

.PHONY: unit
unit: venv ## Run the tests that need no cluster
	@$(PYTHON) -m pytest -q -m "not integration and not e2e"

.PHONY: check
check: venv ## Format, lint, types, layers
	@.venv/bin/ruff format --check --quiet . || { echo "Run 'make format'." >&2; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
	@.venv/bin/pyright --warnings | tail -n 30; exit $${PIPESTATUS[0]}

.PHONY: format
format: venv ## Format the code
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

.PHONY: images
images: venv ## Build the images
	@images/build

.PHONY: crd
crd: venv ## Write the chart's CustomResourceDefinition from the model
	@$(PYTHON) tools/crd.py

.PHONY: reference
reference: venv ## Write docs/reference from the code
	@$(PYTHON) tools/reference.py

.PHONY: lock
lock: venv ## Write the hashed requirement files from pyproject.toml
	@tools/lock

.PHONY: cluster-up
cluster-up: venv ## Bring up the demo cluster alone
	@cluster/cluster up

.PHONY: cluster-down
cluster-down: ## Take the demo cluster down
	@cluster/cluster down

.PHONY: down
down: ## Take away what demo and test brought up
	@cluster/cluster --name demo down
	@cluster/cluster --name tests down

.PHONY: venv
venv: ## Set up .venv for development
	@tools/venv
