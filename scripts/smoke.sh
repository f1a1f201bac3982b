#!/usr/bin/env bash
# The example server, asked with curl: a yes and a no for each layer.
#
#   scripts/smoke.sh            builds and runs the example secure_server
#   scripts/smoke.sh SERVER     runs that executable instead, with the same arguments
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=""
failures=0

cleanup() {
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -KILL "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT

# --- asking and judging

# ask NAME CURL-ARGUMENTS: status, headers and body of the answer go to files of the workspace.
ask() {
  name=$1
  shift
  : >"$work/headers"
  : >"$work/body"
  # One address and no proxy: the server is on loopback.
  status=$(curl --silent --show-error --noproxy '*' --max-time 15 \
    --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}' "$@") || status="curl failed"
}

pass() { printf 'ok    %s: %s\n' "$name" "$1"; }
fail() {
  printf 'FAIL  %s: %s\n' "$name" "$1"
  sed 's/^/      | /' "$work/headers"
  head -c 600 "$work/body" | sed 's/^/      | /'
  printf '\n'
  failures=$((failures + 1))
}

# check WHAT COMMAND…: passes if the command does.
check() {
  local what=$1
  shift
  if "$@"; then pass "$what"; else fail "$what"; fi
}

# want PATTERN: the status, as a shell pattern (4??).
want() {
  # shellcheck disable=SC2053
  if [[ $status == $1 ]]; then pass "status $status"; else fail "status $status, wanted $1"; fi
}

# header NAME: the values, one line each.
header() {
  tr -d '\r' <"$work/headers" |
    awk -v name="$1" 'BEGIN { name = tolower(name) ":" }
      tolower(substr($0, 1, length(name))) == name {
        value = substr($0, length(name) + 1); sub(/^[ \t]+/, "", value); print value }'
}

header_matches() { header "$1" | head -n 1 | grep -qE -- "$2"; }
header_lacks() { ! header "$1" | grep -qE -- "$2"; }

# lists NAME WORD: whether a comma-separated header names the word.
lists() { header "$1" | tr ',' '\n' | tr -d ' \t' | grep -qixF -- "$2"; }

# answer: the JSON-RPC message of the body, be it JSON or a stream of events.
answer() {
  if header_matches content-type '^text/event-stream'; then
    sed -n 's/\r$//; s/^data: *//p' "$work/body" | jq -cs 'map(select(.id != null)) | last'
  else
    cat "$work/body"
  fi
}

answer_is() { answer | jq -e "$1" >/dev/null 2>&1; }

# --- starting the server

if [ $# -gt 0 ]; then
  program=$1
else
  cargo build --release --example secure_server
  program=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/release/examples/secure_server
fi

PORT=0 "$program" --json >"$work/out" 2>"$work/log" &
server=$!

for _ in $(seq 300); do
  [ "$(wc -l <"$work/out")" -gt 0 ] && break
  if ! kill -0 "$server" 2>/dev/null; then
    echo "the server ended before it spoke:"
    cat "$work/log"
    exit 1
  fi
  sleep 0.1
done

head -n 1 "$work/out" >"$work/line"
told() { jq -er "$1" "$work/line"; } # fails on null, too
if ! url=$(told .url); then
  echo "no JSON line within 30 s; got:"
  cat "$work/out" "$work/log"
  exit 1
fi
audience=$(told .audience)
allowed_origin=$(told .allowed_origin)
read_tool=$(told .read_tool)
destructive_tool=$(told .destructive_tool)
admin=$(told .tokens.admin)
expired=$(told .tokens.expired)
wrong_audience=$(told .tokens.wrong_audience)
developer=$(told .tokens.developer)
viewer=$(told .tokens.viewer)
burst=$(told .limits.burst)
failed=$(told .limits.failures)
echo "server: $url"

# --- requests

post=(-X POST -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream')

legacy=("${post[@]}" -H 'MCP-Protocol-Version: 2025-11-25' --data
  "$(jq -cn --arg tool "$read_tool" \
    '{jsonrpc: "2.0", id: 1, method: "tools/call", params: {name: $tool, arguments: {}}}')" "$url")

# modern MCP-NAME TOOL: a call of 2026-07-28, whose header need not tell the truth.
modern() {
  local call
  call=$(jq -cn --arg tool "$2" '{jsonrpc: "2.0", id: "seven", method: "tools/call", params: {
      name: $tool, arguments: {}, _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}}}')
  modern=("${post[@]}" -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call'
    -H "Mcp-Name: $1" --data "$call" "$url")
}

bearer() { printf 'Authorization: Bearer %s' "$1"; }

# --- authentication

ask "no token" "${legacy[@]}"
want 401
check "the challenge comes first and is Bearer with a parameter" header_matches www-authenticate '^Bearer [a-z_]+='
check "it names the metadata" header_matches www-authenticate 'resource_metadata="[^"]+"'
check "it claims no error" header_lacks www-authenticate 'error='
check "security headers are on a refusal" header_matches x-content-type-options '^nosniff$'
check "a refusal is not stored" header_matches cache-control 'no-store'
metadata=$(header www-authenticate | sed -n 's/.*resource_metadata="\([^"]*\)".*/\1/p' | head -n 1)

ask "metadata without a token" "${metadata:-http://127.0.0.1:9/}"
want 200
check "it is about this resource" answer_is '.resource == "'"$audience"'" and (.authorization_servers | length > 0)'

ask "no such well-known document" "${url%/mcp}/.well-known/openid-configuration"
want 404

ask "expired token" -H "$(bearer "$expired")" "${legacy[@]}"
want 401
check "the challenge says invalid_token" header_matches www-authenticate '^Bearer .*error="invalid_token"'

ask "token for another audience" -H "$(bearer "$wrong_audience")" "${legacy[@]}"
want 401
check "the challenge says invalid_token" header_matches www-authenticate '^Bearer .*error="invalid_token"'

ask "token in the query" "${legacy[@]:0:${#legacy[@]}-1}" "$url?access_token=$admin"
want 401

ask "two tokens" -H "$(bearer "$admin")" -H "$(bearer "$admin")" "${legacy[@]}"
want 400

ask "admin calls $read_tool (2025-11-25)" -H "$(bearer "$admin")" "${legacy[@]}"
want 200
check "the tool answered" answer_is '.id == 1 and (.result | type == "object")'
check "security headers are on the answer" header_matches x-content-type-options '^nosniff$'
check "the server does not name itself" header_lacks server '.'

modern "$read_tool" "$read_tool"
ask "admin calls $read_tool (2026-07-28)" -H "$(bearer "$admin")" "${modern[@]}"
want 200
check "the tool answered" answer_is '.id == "seven" and (.result | type == "object")'

# --- the call

modern "$read_tool" "$destructive_tool"
ask "Mcp-Name names another tool than the body" -H "$(bearer "$admin")" "${modern[@]}"
want 400
check "it says which fault, and to whom" answer_is '.id == "seven" and .error.code == -32020'

ask "a member twice" -H "$(bearer "$admin")" "${post[@]}" -H 'MCP-Protocol-Version: 2025-11-25' \
  --data '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}' "$url"
want 400

if most=$(told .limits.body_bytes); then
  head -c "$((most + 1))" /dev/zero | tr '\0' ' ' >"$work/large"
  ask "a body beyond $most bytes" -H "$(bearer "$admin")" "${post[@]}" -H 'MCP-Protocol-Version: 2025-11-25' \
    --data-binary "@$work/large" "$url"
  want 413
fi

ask "what follows the question mark" "${legacy[@]:0:${#legacy[@]}-1}" -H "$(bearer "$admin")" "$url?note=s3cret"
want 200

# --- roles

destructive=("${post[@]}" -H 'MCP-Protocol-Version: 2025-11-25' --data
  "$(jq -cn --arg tool "$destructive_tool" \
    '{jsonrpc: "2.0", id: 1, method: "tools/call", params: {name: $tool, arguments: {title: "welcome"}}}')" "$url")

ask "viewer calls $destructive_tool" -H "$(bearer "$viewer")" "${destructive[@]}"
want 403
check "no scope would help, so there is no challenge" header_lacks www-authenticate '.'
check "the refusal echoes the id" answer_is '.id == 1 and .error.code == 403'

ask "viewer calls $read_tool" -H "$(bearer "$viewer")" "${legacy[@]}"
want 200

ask "admin calls $destructive_tool" -H "$(bearer "$admin")" "${destructive[@]}"
want 200
check "the tool answered" answer_is '.id == 1 and (.result | type == "object")'

# --- approval

wipe=("${post[@]}" -H 'MCP-Protocol-Version: 2025-11-25' --data
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe_notes","arguments":{}}}' "$url")
approvals="${url%/mcp}/approvals"

ask "developer wipes" -H "$(bearer "$developer")" "${wipe[@]}"
want 403
check "it waits for approval" answer_is '.error.message == "approval needed"'
approval=$(answer | jq -r '.error.data.approval.id')
approve=("${post[@]}" --data '{"decision":"approve"}' "$approvals/$approval")

ask "developer approves it" -H "$(bearer "$developer")" "${approve[@]}"
want 404

ask "approval without a token" "${approve[@]}"
want 401

ask "admin looks" -H "$(bearer "$admin")" "$approvals"
want 200
check "it is there" answer_is '.approvals[0].id == "'"$approval"'" and .approvals[0].name == "wipe_notes"'

ask "admin approves it" -H "$(bearer "$admin")" "${approve[@]}"
want 200

ask "developer wipes, once approved" -H "$(bearer "$developer")" "${wipe[@]}"
want 200

ask "developer wipes again" -H "$(bearer "$developer")" "${wipe[@]}"
want 403

# --- limits

for _ in $(seq $((burst * 2 + 20))); do
  ask "a burst beyond $burst" -H "$(bearer "$developer")" "${legacy[@]}"
  [ "$status" = 200 ] || break
done
want 429
wait=$(header retry-after)
check "Retry-After is whole seconds, at least 1" grep -qxE '[1-9][0-9]*' <<<"$wait"
check "the limit is named" header_matches ratelimit '^"[a-z_-]+";r=0'
check "the refusal echoes the id" answer_is '.id == 1 and .error.code == 429'

discover=("${post[@]}" -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: server/discover' --data
  '{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}' "$url")
ask "server/discover then" -H "$(bearer "$developer")" "${discover[@]}"
want 200

ask "another caller then" -H "$(bearer "$viewer")" "${legacy[@]}"
want 200

sleep "$wait"
ask "after Retry-After" -H "$(bearer "$developer")" "${legacy[@]}"
want 200

# --- network and browsers

ask "evil Host" -H 'Host: evil.example.com' -H "$(bearer "$admin")" "${legacy[@]}"
want '4??'

ask "evil Origin" -H 'Origin: https://evil.example.com' -H "$(bearer "$admin")" "${legacy[@]}"
want 403
check "it is granted nothing" header_lacks access-control-allow-origin '.'

ask "evil Origin without a token" -H 'Origin: https://evil.example.com' "${legacy[@]}"
want 403

ask "allowed Origin without a token" -H "Origin: $allowed_origin" "${legacy[@]}"
want 401
check "the browser may read the answer" [ "$(header access-control-allow-origin)" = "$allowed_origin" ]
check "and the challenge" lists access-control-expose-headers www-authenticate

asked=(accept authorization baggage content-type dpop last-event-id mcp-method mcp-name
  mcp-param-region mcp-protocol-version mcp-session-id traceparent tracestate)
ask "preflight of a browser client" -X OPTIONS -H "Origin: $allowed_origin" \
  -H 'Access-Control-Request-Method: POST' \
  -H "Access-Control-Request-Headers: $(IFS=,; printf '%s' "${asked[*]}")" "$url"
want '2??'
check "the origin is granted" [ "$(header access-control-allow-origin)" = "$allowed_origin" ]
check "POST is granted" lists access-control-allow-methods POST
for granted in "${asked[@]}"; do
  check "$granted is granted" lists access-control-allow-headers "$granted"
done

# --- guessing; last, since afterwards the whole address has to wait

for _ in $(seq $((failed * 2))); do
  ask "more than $failed bad tokens from one address" -H "$(bearer bad)" "${legacy[@]}"
  [ "$status" = 401 ] || break
done
want 429
wait=$(header retry-after)
check "Retry-After is whole seconds, at least 1" grep -qxE '[1-9][0-9]*' <<<"$wait"
check "the limit is named" header_matches ratelimit '^"failed_authentication";r=0'

ask "a good token from that address then" -H "$(bearer "$admin")" "${legacy[@]}"
want 429

sleep "$wait"
ask "after Retry-After" -H "$(bearer "$admin")" "${legacy[@]}"
want 200

# --- the end

name="SIGTERM"
: >"$work/headers"
: >"$work/body"
# A client that never ends its request must not keep the server running.
authority=${url#http://}
authority=${authority%%/*}
exec 3<>"/dev/tcp/${authority%:*}/${authority##*:}"
printf 'POST /mcp HTTP/1.1\r\nHost: localh' >&3
sleep 0.3
kill -TERM "$server"
for _ in $(seq 50); do
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
if kill -0 "$server" 2>/dev/null; then
  fail "still running after 5 s"
else
  code=0
  wait "$server" || code=$?
  check "stopped within 5 s with code $code" [ "$code" -eq 0 ]
  server=""
fi

name="audit"
grep '^{"' "$work/log" >"$work/records" || true
# recorded STATUS FILTER: whether a record of that status matches.
recorded() { jq -es "map(select(.status == $1)) | any($2)" "$work/records" >/dev/null; }
records_parse() { jq -es 'length > 50' "$work/records" >/dev/null; }
check "every record is JSON" records_parse
check "the viewer's denial" recorded 403 '.user_id == "vera" and .tool_name == "'"$destructive_tool"'" and .result == "failure"'
check "the admin's call" recorded 200 '.user_id == "ada" and .tool_name == "'"$destructive_tool"'" and .result == "success"'
check "the limit" recorded 429 '.user_id == "dan"'
check "server/discover" recorded 200 '.user_id == "dan" and .action == "server/discover"'
check "the missing token" recorded 401 '.user_id == null'
check "bad tokens" recorded 429 '.user_id == null and (.findings | last.layer) == "address_limit"'
check "the path" recorded 200 '.metadata.http_path == "/mcp"'
check "and nothing of what follows it" bash -c '! grep -qF s3cret "$1"' _ "$work/log"

name="logs"
tail -n +2 "$work/out" >>"$work/log"
# Each token, and its signature alone (TV-21).
told '.tokens[] | ., split(".")[-1]' >"$work/tokens"
if grep -qxE '.{0,15}' "$work/tokens"; then
  fail "a token is too short to be looked for"
fi
check "no token text in $(wc -c <"$work/log") bytes" bash -c '! grep -qF -f "$1" "$2"' _ "$work/tokens" "$work/log"

if [ "$failures" -gt 0 ]; then
  echo "smoke: $failures failed; the server's log:"
  tail -n 40 "$work/log" | cut -c1-300
  exit 1
fi
echo "smoke: all passed"
