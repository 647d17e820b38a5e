# `make` or `make help` lists the targets. CI runs `make test` and nothing else.

SHELL := /bin/bash
STEP := scripts/step

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint format clippy docs deny doctest nextest fmt bench setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## build and start Belfry on this host, without any configuration
	@$(STEP) run cargo run --release --locked

# The doc tests come before nextest so that its summary is the last thing printed.
test: setup lint deny doctest nextest ## install what is missing, then everything CI runs

lint: format clippy docs ## format, clippy and documentation, warnings denied

format: setup ## nothing is to be formatted
	@$(STEP) format cargo fmt --all --check

clippy: setup ## no lint warns
	@$(STEP) clippy cargo clippy --workspace --all-targets --locked -- -D warnings

docs: setup ## the documentation builds without a warning
	@RUSTDOCFLAGS="-D warnings" $(STEP) docs cargo doc --no-deps --workspace --locked

deny: setup ## licences, banned and doubled crates, known vulnerabilities
	@$(STEP) deny scripts/deny

doctest: setup ## the examples in the documentation
	@$(STEP) doctest cargo test --doc --workspace --locked --quiet

nextest: setup ## unit and integration tests, these with real servers
	@$(STEP) build cargo nextest run --workspace --locked --no-run
	@$(STEP) nextest scripts/nextest

fmt: ## format the code
	@$(STEP) fmt cargo fmt --all

bench: setup ## print the measured figures
	@$(STEP) bench scripts/bench

setup: ## install what is missing, nothing else
	@$(STEP) setup scripts/setup
	@$(STEP) fetch scripts/fetch

clean: ## remove what was built and the tools installed in .tools
	@$(STEP) clean cargo clean
	@rm -rf .tools
