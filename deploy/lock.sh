#!/bin/sh
# Writes requirements.lock (to run), requirements-test.lock (to run and test) and requirements-spark.lock (PySpark alone,
# on top of either) from setup.cfg: every version and hash, for Python 3.11 and newer on Linux and macOS. Needs uv. Pass
# --upgrade to move to newer versions.
set -eu
cd "$(dirname "$0")/.."
compile() {
    output=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "deploy/lock.sh" \
        --output-file "$output" "$@"
}
compile requirements.lock "$@" setup.cfg
compile requirements-test.lock --extra test --constraint requirements.lock "$@" setup.cfg
sed -n '/^spark =/,/^[a-z]* =/s/^    //p' setup.cfg | compile requirements-spark.lock --constraint requirements.lock "$@" -
