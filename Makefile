# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo     install, run the embedded study, say where its report is
#   make test     install, check style and types, run the tests

PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/demo
LOWEST = $(VENV)-lowest
# Exact versions to install, such as LOCK=constraints.txt
LOCK ?=
# Processes that run tests, and how often a campaign is repeated
WORKERS ?= 2
ROUNDS ?= 20

# Where this is set, every process compiles the package anew before it does anything
unexport PYTHONDONTWRITEBYTECODE

PIP = $(VENV)/bin/python -m pip install --disable-pip-version-check --quiet
# Files stay together, since tests of a file share what they need. One thread each: their networks are tiny.
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test quick test-faults test-lowest lowest lock wheel docs architecture clean bench-cka bench-data bench-train

demo: $(VENV)/installed
	$(VENV)/bin/gapscope demo --out $(RUN)

test: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PYTEST)

# The tests that start no process, open no browser, train nothing and render no domain: a minute and a half on two cores
quick: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

# Campaigns: studies killed at random moments, files and models made at random. Longer ones: make test-faults ROUNDS=100
test-faults: $(VENV)/installed-dev
	GAPSCOPE_ROUNDS=$(ROUNDS) $(PYTEST) -m faults

# The quick tests on the lowest versions that pyproject.toml allows, in an environment of their own. Those may use what newer
# versions of their own dependencies call deprecated
test-lowest: $(LOWEST).txt
	PYTEST_ADDOPTS="-W ignore::DeprecationWarning" $(MAKE) quick VENV=$(LOWEST) LOCK=$(LOWEST).txt

# Their environment alone
lowest: $(LOWEST).txt
	$(MAKE) $(LOWEST)/installed-dev VENV=$(LOWEST) LOCK=$(LOWEST).txt

$(LOWEST).txt: pyproject.toml scripts/pins.py $(VENV)/installed-dev
	$(VENV)/bin/python scripts/pins.py lowest > $@.new
	mv $@.new $@

# constraints.txt anew: the newest versions that pyproject.toml allows, exactly. Nothing is installed
lock: $(VENV)/installed-dev
	$(PIP) --dry-run --ignore-installed --report $(VENV)/lock.json -e ".[dev]"
	$(VENV)/bin/python scripts/pins.py lock $(VENV)/lock.json > $(VENV)/lock.txt
	mv $(VENV)/lock.txt constraints.txt

# The wheel, the same bytes each time -> dist/; what it is made of -> dist/sbom.json
wheel: $(VENV)/installed-dev
	$(VENV)/bin/python scripts/build_wheel.py
	$(VENV)/bin/python scripts/sbom.py > dist/sbom.json

# The site of docs/, with a reference of commands and code -> site/index.html. A warning is an error.
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

# docs/architecture.md and the README's table of rooms, from the package's docstrings
architecture:
	$(PYTHON) scripts/write_architecture.py

# What does exact CKA of all layers cost beside bare forward passes? More options: make bench-cka BENCH="--device cuda"
bench-cka: $(VENV)/installed
	$(VENV)/bin/python benchmarks/cka.py $(BENCH)

# How fast does the loader give images, beside decoding and scaling alone? More options: make bench-data BENCH="--images FOLDER"
bench-data: $(VENV)/installed
	OMP_NUM_THREADS=1 $(VENV)/bin/python benchmarks/load_images.py $(BENCH)

# How fast is a training step, beside its bare layers and a peer? More options: make bench-train BENCH="--device cuda --batch 64"
bench-train: $(VENV)/installed
	$(VENV)/bin/python benchmarks/train.py $(BENCH)

$(VENV)/installed: pyproject.toml $(LOCK)
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "gapscope needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) --version`. Name another: make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(LOCK:%=-c %) torch torchvision
	$(PIP) $(LOCK:%=-c %) -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) $(LOCK:%=-c %) -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(LOWEST).txt
