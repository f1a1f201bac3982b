#!/usr/bin/env bash
# Instructions and allocations of a request through our stack, against the recorded figures.
#
#   scripts/gates.sh            fails if a case needs more
#   scripts/gates.sh --record   writes benches/gates.json
#
# Allocations may not grow by one, instructions by 3 %. Both depend on the compiler, and instructions
# also on valgrind (the CPU that it plays) and libc: elsewhere than where the figures were recorded,
# the gate only holds off what no other toolchain explains.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly RECORD=benches/gates.json
# In percent: instructions and allocations, here and elsewhere.
readonly HERE_INSTRUCTIONS=3 HERE_ALLOCATIONS=0
readonly ELSEWHERE_INSTRUCTIONS=25 ELSEWHERE_ALLOCATIONS=10

die() { printf 'gates: %s\n' "$*" >&2; exit 1; }

case ${1-} in
  "") record=false ;;
  --record) record=true ;;
  *) die "unknown argument $1" ;;
esac
command -v valgrind >/dev/null || die "no valgrind here; scripts/setup.sh installs it"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program=$(cargo bench --locked --bench gates --no-run --message-format json |
  jq -r 'select(.reason == "compiler-artifact" and .target.name == "gates") | .executable // empty' | tail -n 1)
[ -x "$program" ] || die "cargo named no program"

# What the figures depend on besides our code.
environment() {
  jq -cn --arg target "$(rustc -vV | sed -n 's/^host: //p')" --arg rustc "$(rustc --version)" \
    --arg valgrind "$(valgrind --version)" --arg libc "$(ldd --version 2>&1 | head -n 1)" '$ARGS.named'
}

# instructions CASE: of all iterations together.
instructions() {
  local total
  valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*gates*measured*' \
    --callgrind-out-file="$work/out.$1" "$program" "$1" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; die "$1 fails under valgrind"; }
  total=$(sed -n 's/^totals: *//p' "$work/out.$1")
  [ "${total:-0}" -gt 0 ] || die "$1: callgrind counted nothing"
  printf '%s' "$total"
}

measured=$("$program" --allocations)
for name in $("$program" --list); do
  measured=$(jq -c --arg name "$name" --argjson count "$(instructions "$name")" \
    '.cases[$name].instructions = $count' <<<"$measured")
done
measured=$(jq -c --argjson environment "$(environment)" '{environment: $environment} + .' <<<"$measured")

if $record; then
  jq . <<<"$measured" >"$RECORD"
  echo "gates: recorded"
  jq -r '.iterations as $n | .cases | to_entries[]
    | "\(.key): \(.value.instructions / $n | round) instructions, \(.value.allocations / $n) allocations, \(.value.bytes / $n) bytes"' "$RECORD"
  exit
fi

recorded=$(cat "$RECORD")
if [ "$(jq -cS .environment <<<"$recorded")" = "$(jq -cS .environment <<<"$measured")" ]; then
  slack=$HERE_INSTRUCTIONS allocation_slack=$HERE_ALLOCATIONS
else
  slack=$ELSEWHERE_INSTRUCTIONS allocation_slack=$ELSEWHERE_ALLOCATIONS
  echo "gates: recorded elsewhere, so $slack % more instructions and $allocation_slack % more allocations pass:"
  jq -r '.environment | to_entries[] | "  \(.key): \(.value)"' <<<"$recorded"
fi

# One line per case and figure; `false` at its end if it is too much.
verdicts=$(jq -rn --argjson old "$recorded" --argjson new "$measured" \
  --argjson slack "$slack" --argjson allocation_slack "$allocation_slack" '
  def line($name; $what; $percent):
    ($old.cases[$name][$what] // null) as $before | $new.cases[$name][$what] as $after
    | if $before == null then "\($name): \($what) not recorded false"
      else "\($name): \($what) \($before / $old.iterations) -> \($after / $new.iterations) a request \($after * 100 <= $before * (100 + $percent))"
      end;
  ($old.cases | keys[] | select($new.cases[.] == null) | "\(.): recorded, and no longer measured false"),
  ($new.cases | keys[] as $name
    | line($name; "instructions"; $slack), line($name; "allocations"; $allocation_slack))')
sed -n 's/ true$//p' <<<"$verdicts" | sed 's/^/ok    /'
if grep ' false$' <<<"$verdicts" >"$work/missed"; then
  sed 's/ false$//; s/^/FAIL  /' "$work/missed"
  die "more than recorded; if it is worth it, scripts/gates.sh --record and say why in the commit"
fi
