# Everyday commands; `make` lists them. They use .venv, which the README's first command makes.
PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

install:  ## build and install into .venv (made if there is none)
	test -x $(PYTHON) || python3 -m venv .venv
	.venv/bin/pip install .

requirements:  ## what the tests need beside the package
	$(PIP) install -r tests/requirements.txt

test:  ## the everyday tests: all but the slow ones
	$(PYTHON) -m pytest -n auto --dist loadfile -m "not slow"

check:  ## all tests, the slow ones too
	$(PYTHON) -m pytest -n auto --dist loadfile

native:  ## the C++ tests and fuzz targets, under sanitizers
	$(PYTHON) -m pytest -m native

builds:  ## the tests that build wheels and cross-build, minutes each
	CONVERGIO_TEST_BUILDS=1 $(PYTHON) -m pytest tests/distribution

INTEGRATIONS := $(notdir $(wildcard integrations/*-convergio-mlx))
PACKAGE := .
PROXY := build/litellm-proxy/bin

integrations:  ## the tests of the plugins for other programs, with these programs (PACKAGE=WHEEL: with that one)
	test -x build/integrations/bin/python || python3 -m venv build/integrations
	build/integrations/bin/pip install "$(PACKAGE)[server]" $(foreach name,$(INTEGRATIONS),"integrations/$(name)[test]")
	test -x $(PROXY)/python || python3 -m venv build/litellm-proxy
	$(PROXY)/pip install "$(PACKAGE)" "integrations/litellm-convergio-mlx[proxy]"
	for name in $(INTEGRATIONS); do \
	  (cd integrations/$$name && LITELLM_PROXY=$(CURDIR)/$(PROXY)/litellm \
	    ../../build/integrations/bin/python -m pytest -ra \
	    --junitxml=../../build/integrations/$$name.xml) || exit 1; done
	$(PYTHON) tools/make_integration_docs.py

lint:  ## linters, formats and types alone
	$(PYTHON) -m pytest -m lint

format:  ## put Python and C++ into their formats
	$(PYTHON) -m ruff check --fix . && $(PYTHON) -m ruff format .
	find csrc tests/native bench -name '*.h' -o -name '*.cpp' | xargs .venv/bin/clang-format -i

stubs:  ## write python/convergio_mlx/_native.pyi from the installed extension
	$(PYTHON) -m nanobind.stubgen -q -m convergio_mlx._native -o python/convergio_mlx/_native.pyi

clients:  ## write docs/clients.md, of the clients of OpenAI and Anthropic against the server and a real model
	$(PYTHON) tools/make_client_docs.py

docs:  ## write docs/cli.md, the tables of models and of the server's fields, docs/session.md and its pictures
	$(PYTHON) tools/make_cli_docs.py
	$(PYTHON) tools/make_readme_table.py
	$(PYTHON) tools/make_server_docs.py
	$(PYTHON) tools/record_session.py

pictures:  ## take the pictures of the server's page for chat, by Chromium
	$(PYTHON) tools/picture_page.py

site:  ## the documentation as pages, in build/site; a warning is an error
	$(PIP) install -r docs/requirements.txt
	$(PYTHON) -m mkdocs build --strict

coverage:  ## how much of Python and C++ the tests run (half an hour), in build/coverage
	$(PYTHON) tools/coverage.py build/coverage

sdist:  ## the source distribution, in dist/
	$(PIP) install build
	$(PYTHON) -m build --sdist

check-dist:  ## whether an index would take what is in dist/
	$(PIP) install twine
	$(PYTHON) -m twine check --strict dist/*.whl dist/*.tar.gz

sbom:  ## bill of materials of dist/'s wheel and of what it installs, dist/sbom.cdx.json
	$(PIP) install cyclonedx-bom==7.5.0
	$(PYTHON) tools/bill_of_materials.py dist

macos:  ## cross-build the macOS arm64 wheel (Python 3.12 or newer), in build/macos/dist
	$(PYTHON) tools/cross_macos.py build/macos

aarch64:  ## cross-build the kernel tests for 64-bit Arm and run them under qemu
	$(PYTHON) tools/cross_aarch64.py build/aarch64

.PHONY: help install requirements test check native builds integrations clients lint format stubs docs site coverage sdist check-dist \
  sbom macos aarch64
