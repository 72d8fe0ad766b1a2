# `make help` says what there is. Every target sets up .venv by itself when it is missing or out of date.

PYTHON  ?= python3
VENV    ?= .venv
OUT     ?= out
NETS    ?=
IMAGES  ?=
WEIGHTS ?=
MEAN    ?=
NET_ENGINE ?=
PRECISION ?=
QUALITY ?= preview
PANELS  ?=
CORPUS  ?=
CLAIMS  ?=
MOST    ?=
DEVICE  ?=
SEED    ?= 0
FUZZ_SECONDS ?= 600
# a Python with pycaffe; this one is made on first use, but only where Caffe is asked for, and locks .caffe itself
CAFFE_GIVEN  := $(CAFFE_PYTHON)
CAFFE_PYTHON ?= tests/caffe-python

# a Python with timm
TIMM_PYTHON  ?= $(JOB) $(BIN)/python

# containers: ENGINE=podman serves as well; CACHE is a volume's name or a folder's absolute path
ENGINE       ?= docker
TARGET       ?= cuda
BASE         ?=
BAKE         ?=
SOURCE       ?=
CACHE        ?= predicdiff-cache
DOCKER_BUILD ?=
DOCKER_RUN   ?=

BIN   := $(VENV)/bin
READY := $(VENV)/.ready
# nets of other libraries, which want a torch of their own
DOORS := .venv-doors
# what builds the site, which is not needed to work on the program
SITE  := .venv-docs
# a job shares its environment with others; who sets it up, or removes it, has it alone (LOCKED: in a make under that lock)
LOCK  = $(PYTHON) .ci/locked.py
JOB   = $(LOCK) shared $(VENV).lock
ALONE = $(LOCK) alone $(VENV).lock
DOORS_JOB   = $(LOCK) shared $(DOORS).lock
DOORS_ALONE = $(LOCK) alone $(DOORS).lock
SITE_JOB    = $(LOCK) shared $(SITE).lock
SITE_ALONE  = $(LOCK) alone $(SITE).lock
CAFFE_ALONE = $(LOCK) alone .caffe.lock
# what every figure's target runs, with the variables above
FIGURE = $(NET_PYTHON) -m reproduce.$@ --quality $(QUALITY) --seed $(SEED) --out $(OUT) $(if $(NET_ENGINE),--engine $(NET_ENGINE)) $(OWN) \
  $(foreach net,$(NETS),--net $(net)) $(foreach image,$(IMAGES),--image $(image))
OWN = $(if $(DEVICE),--device $(DEVICE)) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(MEAN),--mean $(MEAN))
# with Caffe the Python that has it, with torch the one of .venv
NET_PYTHON = $(if $(filter caffe,$(NET_ENGINE)),$(CAFFE_PYTHON),$(JOB) $(BIN)/python)
# a file by its absolute path, a name as it is
place   = $(if $(wildcard $1),$(abspath $1),$1)
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' predicdiff/_version.py)
BUILD   = $(ENGINE) build $(if $(BASE),--build-arg BASE=$(BASE)) $(if $(BAKE),--build-arg NETS="$(BAKE)") \
  --build-arg VERSION=$(VERSION) $(if $(SOURCE),--build-arg SOURCE=$(SOURCE)) $(DOCKER_BUILD)

.DEFAULT_GOAL := help
.PHONY: help venv figures figure1 figure2 figure3 figure4 figure5 figure6 presets claims panels timing against architectures scaling
.PHONY: lint format docs clean
.PHONY: test fuzz test-whole test-caffe test-doors coverage docker docker-test docker-figure1

help:  ## This list
	@echo "predicdiff: which parts of a picture speak for and against a class"
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-21s %s\n", $$1, $$2 }'
	@echo
	@echo "Variables: NETS=\"alexnet googlenet vgg16\"  IMAGES=\"cat.jpg dog.jpg\" (or folders)  QUALITY=preview|standard|paper  SEED=0"
	@echo "           PRECISION=tf32|bfloat16 (make timing on a GPU)  CAFFE_PYTHON=tests/caffe-python (and against Caffe)"
	@echo "           NET_ENGINE=torch|caffe (Caffe itself: CAFFE_PYTHON=tests/caffe-python); a net of your own:"
	@echo "           NETS=deploy.prototxt WEIGHTS=its.caffemodel MEAN=104,117,123, or NETS=googlenet WEIGHTS=its.caffemodel"
	@echo "           PANELS=DIR (a folder with panels.json)  CORPUS=DIR (photographs to draw from)  CLAIMS=\"a b\"  MOST=N  DEVICE=cpu|cuda"
	@echo "           OUT=out  PYTHON=python3  VENV=.venv; weights are cached in PREDICDIFF_CACHE (~/.cache/predicdiff)"
	@echo "Containers: ENGINE=docker|podman  TARGET=cuda|cpu|torch  BASE=debian:bullseye-slim  BAKE=\"googlenet\" (weights in"
	@echo "           the image)  CACHE=predicdiff-cache (a volume or folder of weights)  DOCKER_RUN=\"--gpus all\""

venv: $(READY)  ## Set up .venv (every target does so by itself)

$(READY): pyproject.toml setup.py constraints.txt Makefile
ifdef LOCKED
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,test,lint]'
	@touch $@
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 8))' || { echo "predicdiff needs Python 3.8 or newer: make PYTHON=python3.11"; exit 2; }
	@$(ALONE) $(MAKE) --no-print-directory LOCKED=1 $@
endif

figures: figure1 figure2 figure3 figure4 figure5 figure6  ## All figures of the paper, one after the other

figure1: $(READY)  ## Figure 1: sensitivity, marginal and conditional maps (OUT/figure1.png, numbers in .json)
	$(FIGURE)

figure2: $(READY)  ## Figure 2: the size of the patch, k = 1 to 20
	$(FIGURE)

figure3: $(READY)  ## Figure 3: the top 5 % of pixels, sensitivity against conditional sampling with k = 1
	$(FIGURE)

figure4: $(READY)  ## Figure 4: the three top classes before and behind the softmax
	$(FIGURE)

figure5: $(READY)  ## Figure 5: feature maps of an early, a middle and a late layer
	$(FIGURE)

figure6: $(READY)  ## Figure 6: four feature maps of a middle layer over several images
	$(FIGURE)

presets: $(READY)  ## What preview and standard are worth: their maps' correlation with the paper's setting
	$(JOB) $(BIN)/python -m reproduce.presets --seed $(SEED) --out $(OUT) $(OWN) \
	  $(foreach net,$(NETS),--net $(net)) $(foreach image,$(IMAGES),--image $(image))

claims: $(READY)  ## The paper's claims as numbers, each with a verdict (OUT/claims.md); IMAGES=DIR has photographs
	$(JOB) $(BIN)/python -m reproduce.claims --seed $(SEED) --out $(OUT) $(OWN) $(if $(filter smoke,$(QUALITY)),--quality smoke) \
	  $(foreach net,$(NETS),--net $(net)) $(foreach image,$(IMAGES),--image $(image)) $(foreach claim,$(CLAIMS),--claim $(claim)) \
	  $(if $(MOST),--most $(MOST))

panels: $(READY)  ## The paper's own panels, in the folder PANELS=DIR, against our maps of the same pictures
	$(NET_PYTHON) -m reproduce.panels $(PANELS) --seed $(SEED) --out $(OUT) $(if $(NET_ENGINE),--engine $(NET_ENGINE)) $(OWN) \
	  $(foreach net,$(NETS),--net $(net)) $(if $(CORPUS),--corpus $(CORPUS))

timing: $(READY)  ## How long an evaluation and an image take, against plain torch and others (OUT/timing.json)
	$(JOB) $(BIN)/python -m reproduce.timing --seed $(SEED) --out $(OUT) $(if $(PRECISION),--precision $(PRECISION)) $(if $(DEVICE),--device $(DEVICE)) \
	  $(if $(CAFFE_GIVEN),--caffe-python "$(CAFFE_PYTHON)") $(foreach net,$(NETS),--net $(net))

architectures: $(READY)  ## How timm's architectures are evaluated, where timm is installed (OUT/architectures.json; TIMM_PYTHON=python3)
	$(TIMM_PYTHON) -m reproduce.architectures --seed $(SEED) --out $(OUT) $(NETS)

against: $(READY)  ## What a map of known reliability costs by others' methods and by ours (Captum where it is installed)
	$(JOB) $(BIN)/python -m reproduce.against --seed $(SEED) --out $(OUT) $(OWN) \
	  $(foreach net,$(NETS),--net $(net)) $(foreach image,$(IMAGES),--image $(image))

scaling: $(READY)  ## How a study scales: one worker and two here, up to 1,000 simulated, many small images (OUT/scaling.json)
	$(JOB) $(BIN)/python -m reproduce.scaling --seed $(SEED) --out $(OUT) $(foreach net,$(NETS),--net $(net))

test: $(READY)  ## The test suite
	$(JOB) $(BIN)/python -m pytest

fuzz: $(READY)  ## Damaged files of every format for FUZZ_SECONDS=600, others for another SEED; what fails is kept in OUT/fuzz
	PYTHONPATH=tests $(JOB) $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --seed $(SEED) --keep $(OUT)/fuzz

test-whole: $(READY)  ## Tests that take long: the big nets, all settings on a GPU, a wheel installed
	$(JOB) $(BIN)/python -m pytest --whole -m whole

coverage: $(READY)  ## The test suite, with a coverage figure
	$(JOB) $(BIN)/python -m pytest --cov=predicdiff --cov-report=term:skip-covered

docker:  ## The image predicdiff:TARGET, called predicdiff as well
	$(BUILD) --target $(TARGET) --tag predicdiff:$(TARGET) --tag predicdiff .

docker-test:  ## The test suite under real Caffe, in a container on top of TARGET=cpu
	$(BUILD) --target test --tag predicdiff:test .
	$(ENGINE) run --rm $(DOCKER_RUN) predicdiff:test

docker-figure1:  ## Figure 1 inside predicdiff:TARGET, into OUT (`make docker` first)
	@mkdir -p $(OUT)
	$(ENGINE) run --rm --user "$$(id -u):$$(id -g)" --volume "$(abspath $(OUT)):/out" --volume "$(CACHE):/cache" \
	  $(foreach file,$(wildcard $(NETS) $(WEIGHTS) $(MEAN)) $(IMAGES),--volume "$(abspath $(file)):$(abspath $(file)):ro") \
	  $(if $(NET_ENGINE),--env PREDICDIFF_ENGINE=$(NET_ENGINE)) $(DOCKER_RUN) --entrypoint python3 predicdiff:$(TARGET) \
	  -m reproduce.figure1 --quality $(QUALITY) --seed $(SEED) $(foreach net,$(NETS),--net $(call place,$(net))) \
	  $(if $(WEIGHTS),--weights $(abspath $(WEIGHTS))) $(if $(MEAN),--mean $(call place,$(MEAN))) \
	  $(foreach image,$(IMAGES),--image $(abspath $(image)))

test-caffe: $(READY)  ## The test suite under Caffe itself (Debian 11's, made by root in .caffe), and its maps against torch's
	$(CAFFE_PYTHON) -m pytest -p no:cacheprovider -q --whole
	PREDICDIFF_CAFFE_PYTHON="$(CAFFE_PYTHON)" $(JOB) $(BIN)/python -m pytest -p no:cacheprovider -v -k "caffe or engines" tests/nets/caffe/test_two_engines.py \
	  tests/reproduce/test_timing*.py

test-doors: $(DOORS)/.ready  ## Nets of timm, torchvision, Hugging Face and ONNX, in an environment of 5.6 GB (.venv-doors)
	$(DOORS_JOB) $(DOORS)/bin/python -m pytest -p no:cacheprovider tests/nets/modules/sources $(wildcard tests/nets/onnx)
	$(DOORS_JOB) $(DOORS)/bin/python -m pytest -p no:cacheprovider tests/contract/test_nets.py -k "timm or torchvision or Hugging or ONNX or exported"

$(DOORS)/.ready: pyproject.toml setup.py constraints-doors.txt
ifdef LOCKED
	$(PYTHON) -m venv --clear $(DOORS)
	$(DOORS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-doors.txt \
	  -e '.[timm,torchvision,hf,test]' onnx onnx2torch onnxruntime safetensors
	@touch $@
else
	@$(DOORS_ALONE) $(MAKE) --no-print-directory LOCKED=1 $@
endif

lint: $(READY)  ## ruff and mypy
	$(JOB) $(BIN)/ruff check .
	$(JOB) $(BIN)/ruff format --check .
	$(JOB) $(BIN)/mypy

format: $(READY)  ## Put the code in ruff's format
	$(JOB) $(BIN)/ruff check --fix .
	$(JOB) $(BIN)/ruff format .

docs: $(SITE)/.ready  ## The site, docs/_build/html/index.html, by Sphinx in an environment of its own (.venv-docs)
	$(SITE_JOB) $(SITE)/bin/python -m sphinx -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html
	@echo "Wrote docs/_build/html/index.html."

$(SITE)/.ready: pyproject.toml setup.py constraints.txt constraints-docs.txt
ifdef LOCKED
	$(PYTHON) -m venv --clear $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c constraints-docs.txt -e '.[torch,docs]'
	@touch $@
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "the site needs Python 3.11 or newer: make docs PYTHON=python3.11"; exit 2; }
	@$(SITE_ALONE) $(MAKE) --no-print-directory LOCKED=1 $@
endif

clean:  ## Remove .venv, .venv-doors, .venv-docs, .caffe, the site and caches (results in OUT stay)
	$(ALONE) $(DOORS_ALONE) $(SITE_ALONE) $(CAFFE_ALONE) rm -rf $(VENV) $(DOORS) $(SITE) .caffe docs/_build docs/generated build predicdiff.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
