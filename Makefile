# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo     install, run the embedded study, say where its report is
#   make test     install, check style and types, run the tests

PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/demo

.PHONY: demo test docs architecture clean bench-cka bench-data bench-train

demo: $(VENV)/installed
	$(VENV)/bin/gapscope demo --out $(RUN)

test: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest

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

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "gapscope needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) --version`. Name another: make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet torch torchvision
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV)
