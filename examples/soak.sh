#!/bin/sh
# Calls by the thousand while every function is saved ten times a second: each call must end in exactly
# one outcome, its success, and memory must stay bounded.
#
#   examples/soak.sh [CALLS]        100,000 where no number is given; some seconds
set -eu
calls=${1:-100000}
cd "$(dirname "$0")/.."
cargo build --release --quiet --package steadfast-cli
binary=${CARGO_TARGET_DIR:-target}/release/steadfast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each version of the file differs from the last one in each of its functions.
save() {
    for function in 0 1 2 3; do
        printf '[[function]]\nname = "echo%s"\nbuiltin = "echo"\ndescription = "version %s"\n' \
            "$function" "$1"
    done >"$work/draft.toml"
    mv "$work/draft.toml" "$work/functions.toml"
}

save 0
awk -v calls="$calls" 'BEGIN {
    for (n = 1; n <= calls; n++)
        printf "{\"id\":\"%d\",\"function\":\"echo%d\",\"input\":{\"n\":%d}}\n", n, n % 4, n
}' >"$work/calls.jsonl"

"$binary" run "$work/functions.toml" \
    <"$work/calls.jsonl" >"$work/outcomes.jsonl" 2>"$work/messages" &
run=$!
# It listens for SIGHUP once it answers.
while [ ! -s "$work/outcomes.jsonl" ] && kill -0 "$run" 2>/dev/null; do sleep 0.01; done
saves=0
peak=unknown
while status=$(cat "/proc/$run/status" 2>/dev/null) && [ -n "$status" ]; do
    high=$(printf '%s\n' "$status" | awk '/^VmHWM:/ { print $2 " " $3 }')
    [ -z "$high" ] && break
    peak=$high
    saves=$((saves + 1))
    save "$saves"
    kill -HUP "$run" 2>/dev/null || break
    sleep 0.1
done
code=0
wait "$run" || code=$?

tail -n 1 "$work/messages"
outcomes=$(wc -l <"$work/outcomes.jsonl")
successes=$(grep -c '"status":"success"' "$work/outcomes.jsonl" || true)
distinct=$(sed 's/.*"call_id":"\([^"]*\)".*/\1/' "$work/outcomes.jsonl" | sort -u | wc -l)
echo "exit $code; $outcomes outcomes, $successes successes, $distinct calls; $saves saves of 4 functions; peak memory $peak"
[ "$code" -eq 0 ] && [ "$outcomes" -eq "$calls" ] && [ "$successes" -eq "$calls" ] &&
    [ "$distinct" -eq "$calls" ]
