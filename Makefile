# `make help` says what there is. Every target sets up .venv by itself when it is missing or out of date.

PYTHON  ?= python3
VENV    ?= .venv
OUT     ?= out
NETS    ?=
IMAGES  ?=
QUALITY ?= preview
SEED    ?= 0

BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help venv figure1 presets test lint format clean

help:  ## This list
	@echo "predicdiff: which parts of a picture speak for and against a class"
	@echo
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'
	@echo
	@echo "Variables: NETS=\"alexnet googlenet vgg16\"  IMAGES=\"cat.jpg dog.jpg\"  QUALITY=preview|standard|paper  SEED=0"
	@echo "           OUT=out  PYTHON=python3  VENV=.venv; weights are cached in PREDICDIFF_CACHE (~/.cache/predicdiff)"

venv: $(READY)  ## Set up .venv (every target does so by itself)

$(READY): pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 8))' || { echo "predicdiff needs Python 3.8 or newer: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,test,lint]'
	@touch $@

figure1: $(READY)  ## The paper's figure 1: sensitivity, marginal and conditional maps (OUT/figure1.png)
	$(BIN)/python -m reproduce.figure1 --quality $(QUALITY) --seed $(SEED) --out $(OUT) \
	  $(foreach net,$(NETS),--net $(net)) $(foreach image,$(IMAGES),--image $(image))

presets: $(READY)  ## What preview and standard are worth: their maps' correlation with the paper's setting
	$(BIN)/python -m reproduce.presets --seed $(SEED) --out $(OUT)

test: $(READY)  ## The test suite, with a coverage figure
	$(BIN)/python -m pytest --cov=predicdiff --cov-report=term:skip-covered

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## Put the code in ruff's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove .venv and caches (results in OUT stay)
	rm -rf $(VENV) build predicdiff.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
