#!/bin/sh
# Writes requirements.lock (to run) and requirements-test.lock (to run and test) from setup.cfg: every version and
# hash, for Python 3.11 and newer on Linux and macOS. Needs uv. Pass --upgrade to move to newer versions.
set -eu
cd "$(dirname "$0")/.."
compile() {
    output=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "deploy/lock.sh" \
        --output-file "$output" "$@" setup.cfg
}
compile requirements.lock "$@"
compile requirements-test.lock --extra test --constraint requirements.lock "$@"
