# Shared by the scripts beside it: messages, and the set-up of the machine. Sourced, not run.
# Nothing here changes the machine without saying so first.
# shellcheck shell=bash

say() { printf '\n==> %s\n' "$*"; }

stop() {
    printf '\nStopped: %s\n' "$*" >&2
    exit 1
}

# Half of a test is waiting: for a server, a clock, or another test's turn.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}

# Seconds since the script began, as text.
took() { printf '%d min %02d s' $((SECONDS / 60)) $((SECONDS % 60)); }

# Installs Debian packages as root; otherwise says exactly what to install, and stops.
install_packages() {
    local why=$1
    shift
    if [ "$(id -u)" != 0 ]; then
        stop "$why. As root, run: apt-get update && apt-get install --no-install-recommends $*"
    fi
    command -v apt-get >/dev/null || stop "$why, and this is not Debian. Install what corresponds to: $*"
    say "$why: installing $* (about a minute)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null || say "The package lists could not be renewed; trying with the old ones"
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null || stop "apt-get could not install $*"
}

# The Rust toolchain, and a C compiler for SQLite and the cryptography.
need_build_tools() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    command -v cargo >/dev/null || stop "no Rust toolchain. Install one from https://rustup.rs and open a new shell"
    if ! command -v cc >/dev/null || [ ! -e /usr/include/stdlib.h ]; then
        install_packages "the C compiler is missing" gcc libc6-dev
    fi
}

# The proxies that the tests run with the handbook's examples. Debian's packages would also start
# servers on the usual ports; nobody asked for those.
need_proxies() {
    local name missing=()
    for name in nginx caddy haproxy; do
        PATH="$PATH:/usr/local/sbin:/usr/sbin" command -v "$name" >/dev/null || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local policy=/usr/sbin/policy-rc.d made= outcome=0
    if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=yes
    fi
    (install_packages "the proxies are missing that the tests run" "${missing[@]}") || outcome=$?
    [ -z "$made" ] || rm -f "$policy"
    return "$outcome"
}

# Another program that makes the codes of authenticator apps: tests compare ours with its.
need_oathtool() {
    command -v oathtool >/dev/null ||
        install_packages "oathtool is missing, with which tests compare codes" oathtool
}

# The two components that a minimal toolchain leaves out.
need_lint_tools() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || stop "this Rust toolchain has no rustfmt or clippy"
    say "Adding rustfmt and clippy to the Rust toolchain"
    rustup component add rustfmt clippy
}

# Whether anything was compiled here before; decides how long we say it takes.
is_first_build() { [ ! -d "${CARGO_TARGET_DIR:-target}/debug/deps" ]; }
