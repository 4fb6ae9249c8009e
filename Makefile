# Everyday commands; `make` lists them. They use .venv, which the README's first command makes.
PYTHON := .venv/bin/python

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

install:  ## build and install into .venv
	.venv/bin/pip install .

test:  ## all tests
	$(PYTHON) -m pytest

lint:  ## linters, formats and types alone
	$(PYTHON) -m pytest tests/test_style.py tests/test_include_direction.py

format:  ## put Python and C++ into their formats
	$(PYTHON) -m ruff check --fix . && $(PYTHON) -m ruff format .
	find csrc tests/native bench -name '*.h' -o -name '*.cpp' | xargs .venv/bin/clang-format -i

stubs:  ## write python/convergio_mlx/_native.pyi from the installed extension
	$(PYTHON) -m nanobind.stubgen -q -m convergio_mlx._native -o python/convergio_mlx/_native.pyi

docs:  ## write docs/cli.md from the program's own help
	$(PYTHON) tools/make_cli_docs.py

macos:  ## cross-build the macOS arm64 extension
	$(PYTHON) tools/cross_macos.py build/macos

.PHONY: help install test lint format stubs docs macos
