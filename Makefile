# `make` or `make help` lists the targets. CI runs `make test` and nothing else.

SHELL := /bin/bash
STEP := scripts/step

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup test lint fmt deny bench run clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## build and start Belfry on this host, without any configuration
	@$(STEP) run cargo run --release --locked

# The doc tests come before nextest so that its summary is the last thing printed.
test: lint deny ## install what is missing, then everything CI runs
	@$(STEP) doctest cargo test --doc --workspace --locked --quiet
	@$(STEP) build cargo nextest run --workspace --locked --no-run
	@$(STEP) test scripts/nextest

lint: setup ## format, clippy and documentation, warnings denied
	@$(STEP) format cargo fmt --all --check
	@$(STEP) clippy cargo clippy --workspace --all-targets --locked -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(STEP) docs cargo doc --no-deps --workspace --locked

deny: setup ## licences, banned and doubled crates, known vulnerabilities
	@$(STEP) deny scripts/deny

fmt: ## format the code
	@$(STEP) format cargo fmt --all

bench: setup ## print the measured figures
	@$(STEP) bench scripts/bench

setup: ## install what is missing, nothing else
	@$(STEP) setup scripts/setup
	@$(STEP) fetch scripts/fetch

clean: ## remove what was built and the tools installed in .tools
	@$(STEP) clean cargo clean
	@rm -rf .tools
