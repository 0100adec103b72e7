# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help up test compose-test deploy-test lint fmt golden docs deny bench faults model clean

# What `make bench` runs, and with what: make bench BENCH=checkout ARGS="--seconds 60"
BENCH ?= short
ARGS ?=
RUNS ?= 20
# Where rustup puts cargo, with or without a line in the shell's profile.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
CARGO_DENY := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/souk/cargo-deny

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

up: ## run the whole shop on this machine: servers, schema, demo data, all domains, gateway on :8080
	@scripts/ensure-rust
	cargo run --release -- up $(ARGS)

test: ## run everything that CI checks: format, lint, all tests
	@scripts/test

compose-test: ## compose.yaml started with podman: orders, killed containers, metrics; needs root
	@scripts/compose-test

deploy-test: ## the files of deploy/, by the programs that read them or by their schemas
	@scripts/deploy-test

lint: ## clippy, every warning an error
	cargo clippy --workspace --all-targets -- -D warnings

fmt: ## format all code
	cargo fmt --all

golden: ## regenerate golden files, pages, openapi.json, users.conf, .env.example, souk.example.toml
	UPDATE_GOLDEN=1 cargo test --workspace -q --bin souk checked_in
	UPDATE_GOLDEN=1 cargo test --workspace -q --test surface --test documentation --test golden --test metrics

docs: ## build the reference of all crates in target/doc
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

deny: $(CARGO_DENY)/bin/cargo-deny ## check licences, sources and bans of all dependencies; installs cargo-deny once
	PATH="$(CARGO_DENY)/bin:$$PATH" cargo deny check bans licenses sources

$(CARGO_DENY)/bin/cargo-deny:
	cargo install cargo-deny --locked --version '~0.20' --root $(CARGO_DENY)

bench: ## every load test in a short form, ten minutes; one of a running shop: make bench BENCH=checkout ARGS="..."
	cargo run --release -p bench -- $(BENCH) $(ARGS)

faults: ## run twenty clusters under faults, a minute each: make faults RUNS=1 ARGS="--seed 7 --keep"
	@scripts/install-faketime
	cargo run --release -p bench -- faults --runs $(RUNS) $(ARGS)

model: ## run the model of catch-up; without one rule: make model ARGS="--without R5"
	cargo run --release -p model -- --schedules 2000000 --steps 160 $(ARGS)

clean: ## stop the local stack; remove it, its data and target/
	@scripts/clean
