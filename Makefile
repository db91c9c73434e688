# Each recipe is one line or a script; `make` alone lists them.
.PHONY: help run test check bench

PORT ?= 8080

help: ## Lists these commands.
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

run: ## Builds Portcullis and starts the demo on http://localhost:8080 (PORT=N for another port).
	@scripts/run $(PORT)

test: ## Every check and every test, on SQLite and on PostgreSQL.
	@scripts/test

check: ## The quick round: lints, and the tests on SQLite alone.
	@scripts/check

bench: ## Speed and memory beside a bare server; writes docs/benchmarks.md.
	@scripts/bench
