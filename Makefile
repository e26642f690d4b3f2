PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= 2
PROOFS = tests/test_backward.py tests/test_tensor.py tests/test_operators.py tests/test_views.py tests/test_writes.py tests/test_scopes.py tests/test_trees.py tests/test_transforms.py $(sort $(wildcard tests/test_rules_*.py))

.PHONY: report playground test browser mutants bench lint docs clean

# Their processes are as many as the cores: threads of BLAS would be too many. They start a hundred others: bytecode is kept for these.
test browser mutants docs: export OPENBLAS_NUM_THREADS = 1
test browser mutants docs: export PYTHONDONTWRITEBYTECODE =

report: $(VENV)/report.done
	$(BIN)/python -m examples.report $(ARGS)

playground: $(VENV)/report.done
	$(BIN)/python -m examples.playground $(ARGS)

test: $(VENV)/test.done
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --ignore tests/test_types.py -m "not browser" $(ARGS)

browser: $(VENV)/test.done
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --ignore tests/test_types.py -m browser $(ARGS)

mutants: $(VENV)/test.done
	$(BIN)/python tests/engine_mutants.py --jobs $(JOBS) $(PROOFS) -k "not compiled_it_gives_the_same" $(ARGS)

bench: $(VENV)/bench.done
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_types.py

docs: $(VENV)/docs.done
	$(BIN)/python -m sphinx --fail-on-warning --jobs $(JOBS) --doctree-dir out/docs.trees docs out/docs $(ARGS)
	$(BIN)/python docs/tools/check.py out/docs

$(VENV)/report.done: extras = draw,report
$(VENV)/test.done: extras = draw,report,examples,test,numba
$(VENV)/bench.done: extras = draw,report,bench
$(VENV)/dev.done: extras = draw,report,examples,test,numba,dev
$(VENV)/docs.done: extras = draw,report,test,numba,docs

$(VENV)/%.done: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(extras)]'
	touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
