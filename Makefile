# `make help` prints the text after "##".

SHELL := /bin/sh
.DEFAULT_GOAL := help

COMPOSE = $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi)
DEV = $(COMPOSE) -f docker-compose-dev.yaml
NETCAT = $(COMPOSE) -f docker-compose-netcat.yaml

# What --version prints in the images.
export COMMIT := $(shell git rev-parse --short=10 HEAD 2>/dev/null)

# The Dockerfiles' cache mounts need BuildKit, which older engines leave off by default.
export DOCKER_BUILDKIT = 1
export COMPOSE_DOCKER_CLI_BUILD = 1

.PHONY: help run test test-scripts test-browser build dist lint lint-scripts datasets certificates simulate \
	fuzz bench bench-micro docker-image docker-compose-up docker-compose-logs docker-compose-board \
	docker-compose-winners docker-compose-down docker-compose-up-nc docker-compose-logs-nc docker-compose-down-nc \
	test-containers unpack-datasets

help: ## This list
	@awk -F ':.*## ' ' \
		/^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z][a-z-]*:.*## / { printf "  %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Without Docker

run: unpack-datasets ## The whole lottery on this machine: the central, 5 agencies, the draw, a table (ARGS=--help for options)
	cargo build --release --package lottery-demo
	$${CARGO_TARGET_DIR:-target}/release/lottery-demo $(ARGS)

test: ## Every test that needs only cargo
	cargo test --workspace

test-scripts: ## Tests of the scripts and of this Makefile
	./tests/run tests/scripts

test-browser: ## The board and the metrics in a real browser (skipped without chromium)
	cargo build --package server
	@for test in board metrics; do \
		echo "==== $$test"; python3 tests/browser/$$test.py || [ $$? = 77 ] || exit 1; \
	done

build: ## The programs, optimized, in target/release
	cargo build --release --workspace

dist: ## Static programs with completions, man pages and checksums, in dist/
	./scripts/dist.sh

lint: ## Check formatting, clippy and documentation, as CI does
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

lint-scripts: ## Run shellcheck on every shell script
	shellcheck -x *.sh scripts/*.sh simulation/*.sh bench/src/*.sh .ci/run tests/run tests/*.sh tests/*/*.sh

datasets: ## Make .data/agency-N.csv again, or others: AGENCIES=5 BETS=1000 SEED=1
	cargo run --release --package lottery-bench -- datasets \
		$(if $(AGENCIES),--agencies $(AGENCIES)) $(if $(BETS),--bets $(BETS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

certificates: ## An authority and certificates for mutual TLS, as far as they are missing: AGENCIES=5 DIR=certificates
	@$(if $(DIR),DIR=$(DIR)) $(if $(NAMES),NAMES=$(NAMES)) ./scripts/certificates.sh $(AGENCIES)

simulate: ## Simulated lotteries with faults: SEEDS=100000 FIRST_SEED=0, or replay one: SEED=7
	cargo run --release --package lottery-simulation -- \
		$(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),20000) --first-seed $(or $(FIRST_SEED),0))

# What is found goes to tests/fuzz/target, so that a run leaves the committed corpora as they are. Sanitizers look for
# the errors of unsafe code; this project has none, and finds eight times as much in the same time without.
SECONDS_EACH ?= 10

fuzz: ## Run each fuzz target, from the committed corpora: SECONDS_EACH=10
	@cargo +nightly fuzz --version >/dev/null 2>&1 || { \
		echo "make fuzz needs: rustup toolchain install nightly && cargo install cargo-fuzz" >&2; exit 1; }
	@set -e; if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi; \
	for target in $$(cargo +nightly fuzz list --fuzz-dir tests/fuzz); do \
		echo "==== $$target"; \
		mkdir -p tests/fuzz/target/corpus/$$target; \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target \
			tests/fuzz/target/corpus/$$target tests/fuzz/corpus/$$target -- \
			-max_total_time=$(SECONDS_EACH) -max_len=6000 -rss_limit_mb=1024 -timeout=10 -verbosity=0 -print_final_stats=1; \
	done

bench: ## Benchmarks into bench/RESULTS.md; QUICK=1: two minutes, into target/bench; ROWS=start: print only
	cargo build --release --package server --package client --package lottery-bench
	$${CARGO_TARGET_DIR:-target}/release/lottery-bench measure $(if $(ROWS),--only $(ROWS), \
		--output $(if $(QUICK),$${CARGO_TARGET_DIR:-target}/bench,bench)) $(if $(QUICK),--quick) $(ARGS)

bench-micro: ## The microbenchmarks of codec, store and client: NAME=decode for some
	cargo bench --package lottery-bench --bench micro -- $(NAME)

## With Docker

docker-image: ## The images server:latest and client:latest
	docker build --build-arg COMMIT -f ./server/Dockerfile -t server:latest .
	docker build --build-arg COMMIT -f ./client/Dockerfile -t client:latest .

docker-compose-up: docker-compose-dev.yaml unpack-datasets ## Build the images and start docker-compose-dev.yaml
	$(DEV) up -d --build

docker-compose-logs: ## Follow their logs
	$(DEV) logs -f

docker-compose-board: ## Print the address of the board, for a browser on this machine
	@address=$$($(DEV) port server 8080) && echo "http://$$address/"

docker-compose-winners: ## Print the winners after the draw: ARGS="--agency 1 --format csv"
	@$(DEV) exec -T server /server winners $(ARGS)

docker-compose-down: ## Stop and remove the containers
	$(DEV) stop -t 1
	$(DEV) down --remove-orphans

docker-compose-up-nc: ## Start docker-compose-netcat.yaml: an echo server, and nctest to validate it
	$(NETCAT) up -d --build

docker-compose-logs-nc: ## Follow their logs
	$(NETCAT) logs -f

docker-compose-down-nc: ## Stop and remove the containers
	$(NETCAT) stop -t 1
	$(NETCAT) down

test-containers: ## Tests of the images and of both compose projects (some minutes)
	./tests/run tests/containers

unpack-datasets:
	@./scripts/unpack-datasets.sh

# It has no prerequisites, so that a file made for other clients or another mode stays.
docker-compose-dev.yaml:
	./generar-compose.sh $@ 5
