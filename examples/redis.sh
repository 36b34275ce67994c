#!/bin/sh
# Two processes serve the functions of functions.toml at a Redis server of this script's own; one is killed
# while it runs a call, and the call ends well at the other one. Try it:
#   cargo build --release && examples/redis.sh target/release/steadfast
set -eu
steadfast=$(realpath "${1:?usage: redis.sh PATH-TO-STEADFAST}")
examples=$(dirname "$(realpath "$0")")
command -v redis-server > /dev/null || { echo "needs redis-server: apt-get install redis-server" >&2; exit 2; }

folder=$(mktemp -d)
children=
trap 'kill $children 2> /dev/null || true; rm -rf "$folder"' EXIT
redis-server --port 0 --unixsocket "$folder/socket" --save '' --appendonly no --dir "$folder" > /dev/null &
children=$!
export STEADFAST_REDIS_URL="unix://$folder/socket"
until [ -S "$folder/socket" ]; do sleep 0.1; done

# Starts one process and waits until it serves; its id is in $served.
serve() {
    "$steadfast" serve "$examples/functions.toml" 2> "$folder/$1" &
    served=$!
    children="$children $served"
    until grep -q ready "$folder/$1"; do sleep 0.1; done
    cat "$folder/$1"
}

serve first
first=$served
"$steadfast" call double --input '{"n":21}'
"$steadfast" call greet --input '{"name":"Ada"}'
"$steadfast" call divide --input '{"a":1,"b":0}' || echo "exit code $?"
"$steadfast" call nap --input '{"ms":60000}' --timeout 1s || echo "exit code $?"

echo "A call naps at the first process when that is killed."
"$steadfast" call nap --input '{"ms":15000}' --timeout 2m &
call=$!
sleep 1
serve second
"$steadfast" consumers --scope global
kill -KILL "$first"
wait "$call"
"$steadfast" health
