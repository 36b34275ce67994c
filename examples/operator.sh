#!/bin/sh
# What an operator and an older peer see of Steadfast, by redis-cli alone, at a Redis server of this script's
# own. Its output is in docs/REDIS.md. Try it:
#   cargo build --release && examples/operator.sh target/release/steadfast
set -eu
steadfast=$(realpath "${1:?usage: operator.sh PATH-TO-STEADFAST}")
command -v redis-server > /dev/null || { echo "needs redis-server: apt-get install redis-server" >&2; exit 2; }

folder=$(mktemp -d)
children=
trap 'kill $children 2> /dev/null || true; rm -rf "$folder"' EXIT
redis-server --port 0 --unixsocket "$folder/socket" --save '' --appendonly no --dir "$folder" > /dev/null &
children=$!
export STEADFAST_REDIS_URL="unix://$folder/socket"
until [ -S "$folder/socket" ]; do sleep 0.1; done

# Shows a redis-cli command, and runs it.
ask() {
    echo "\$ redis-cli $*"
    redis-cli --no-raw -s "$folder/socket" "$@"
    echo
}

cat > "$folder/functions.toml" <<'TOML'
[[function]]
name = "myFunction"
builtin = "echo"

[[function]]
name = "nap"
exec = ["sh", "-c", "sleep 2; echo 7"]
TOML
"$steadfast" serve "$folder/functions.toml" 2> "$folder/said" &
children="$children $!"
until grep -q ready "$folder/said"; do sleep 0.1; done

echo "# An older caller adds a call, polls its result, and deletes it."
ask XADD function_calls:myFunction:global '*' callId call-1 functionName myFunction input '{"n":21}' item '{}' \
    responseChannel function:response:call-1 timestamp 1700000000000
until redis-cli -s "$folder/socket" EXISTS result:call-1 | grep -q 1; do sleep 0.05; done
ask GET result:call-1
ask TTL result:call-1
ask DEL result:call-1

echo "# A call asks for a stream of its own, which whoever knows its id may wait for."
echo '$ steadfast call myFunction --input '"'"'{"n":21}'"'"' --id call-2 --result-stream'
"$steadfast" call myFunction --input '{"n":21}' --id call-2 --result-stream
echo
ask XRANGE function_results:call-2 - +
ask TTL function_results:call-2

echo "# A call runs while the operator looks."
"$steadfast" call nap > "$folder/result" &
call=$!
until redis-cli -s "$folder/socket" HLEN function_open:nap:global | grep -q 1; do sleep 0.05; done
sleep 0.5
ask HGETALL function_open:nap:global
ask XPENDING function_calls:nap:global function_group:nap:global
wait $call

echo "# Who serves, and how it stands."
ask XINFO GROUPS function_calls:myFunction:global
ask XINFO CONSUMERS function_calls:myFunction:global function_group:myFunction:global
ask SMEMBERS registry:functions
ask SMEMBERS consumer:active:myFunction:global
consumer=$(redis-cli -s "$folder/socket" SMEMBERS consumer:active:myFunction:global)
ask HGETALL "consumer:state:$consumer"
ask HGETALL function:myFunction:global
