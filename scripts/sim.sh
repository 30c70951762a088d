#!/bin/sh
# Lets SEEDS histories of each combination happen, from FIRST on, in as many
# processes side by side as there are processors: each has one processor of its own.
set -eu
cd "$(dirname "$0")/.."
seeds=${SEEDS:-50} first=${FIRST:-1} n=$(nproc 2>/dev/null || sysctl -n hw.ncpu)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -c -o "$dir/sim.test" ./test/sim
[ "$seeds" -ge "$n" ] || n=$seeds
cd test/sim
began=$(date +%s) pids=''
i=0
while [ "$i" -lt "$n" ]; do
  share=$(((seeds + i) / n)) # the rest goes to the last
  "$dir/sim.test" -test.run Histories -test.timeout 120m -seeds "$share" -first "$first" \
    -length "${LENGTH:-8s}" -kinds "${KINDS:-}" -adapter "${ADAPTER:-}" >"$dir/$i.out" 2>&1 &
  pids="$pids $!"
  first=$((first + share)) i=$((i + 1))
done
failed=0
i=0
for pid in $pids; do
  wait "$pid" || failed=1
  grep -v '^PASS$' "$dir/$i.out" || true
  i=$((i + 1))
done
took=$(($(date +%s) - began))
echo "$seeds seeds of each combination in $took s"
exit $failed
