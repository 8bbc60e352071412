#!/usr/bin/env bash
# Compares our kernels with other libraries and makes the table of
# docs/kernels.md. In every round each peer's program is run for a shape (where
# it can be told which) and, at once, ours for the same; the table has the
# medians of the rounds' ratios, with their spread.
#
# Usage: PEERS=FOLDER [PEERS_BUILD=FOLDER] internal/peers/table.sh OUT [GROUP...]
#
#   PEERS        folder with run.sh, which prints the peers' rows
#   PEERS_BUILD  folder in which they were built; $PEERS/build by default
#   ROUNDS       rounds, 5 by default
#   THREADS      threads, 1 by default; for a second number call it again
#   PIN          command before everything that is timed, by default "taskset -c
#                1" for one thread
#   OUT          folder for the rounds; rounds that are there stay in the table
#   GROUP        peak gemm packed pointwise spatial depthwise attention int8
#                train avx2; all of these by default; or nets, which wants a
#                folder OUT of its own
#
# It puts the section of this machine into docs/kernels.md, in the place of an
# older one of the same processor; the group nets into docs/networks.md.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 1 ] && [ -n "${PEERS:-}" ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
peers=$(cd "$PEERS" && pwd)
export PEERS_BUILD=${PEERS_BUILD:-$peers/build}
PEERS_BUILD=$(cd "$PEERS_BUILD" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd); shift
start=$(date +%s) rounds=${ROUNDS:-5} threads=${THREADS:-1}
pin=(); [ "$threads" -gt 1 ] || pin=(taskset -c 1)
[ -z "${PIN+set}" ] || read -ra pin <<<"$PIN"
groups=("$@"); [ ${#groups[@]} -gt 0 ] || groups=(peak gemm packed pointwise spatial depthwise attention int8 train avx2)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$root" && go build -o "$scratch/ours" ./internal/peers && go build -o "$scratch/hwprofd" ./cmd/hwprofd)
"$scratch/hwprofd" device --json >"$out/device.json"
page=kernels; [ "${groups[0]}" != nets ] || page=networks
clean=(env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE)

# versus NAME COMMAND...: the rows that COMMAND prints, then ours beside them.
versus() {
  local name=$1; shift
  (cd "$PEERS_BUILD" && "$@") >"$scratch/rows"
  [ -s "$scratch/rows" ] || return 0
  "${pin[@]}" "$scratch/ours" -rows "$scratch/rows" 2>>"$out/errors" >>"$out/$name-$threads-$start-$round.csv"
}
models() { (cd "$PEERS_BUILD/models" && ls | grep -E "$1" | sed 's/\.onnx$//') || true; }
onednn() { # GROUP PATTERN: each model for itself, so that ours runs right after it
  local name
  for name in $(models "$2"); do versus "$1-onednn" "${pin[@]}" ./onednn "$threads" "$name"; done
}
# outclassed NAME: whether ONNX Runtime took half as long again as oneDNN before
outclassed() {
  cat "$out"/*-onednn-"$threads"-*.csv "$out"/*-onnxruntime-"$threads"-*.csv 2>/dev/null |
    awk -F, -v name="$1" '$3 == name { t[$1] = $6 } END { exit !(t["onednn"] > 0 && t["onnxruntime"] > 1.5 * t["onednn"]) }'
}
onnxruntime() { # GROUP PATTERN: likewise, but what oneDNN outclasses only once
  local name
  for name in $(models "$2"); do
    outclassed "$name" || versus "$1-onnxruntime" "${pin[@]}" node "$peers/ort.mjs" models "$threads" "$name.onnx"
  done
}
blas() { # LIBRARY: its program goes through all shapes, and stands still while ours does one
  [ -x "$PEERS_BUILD/gemm_$1" ] || return 0
  rm -f "$scratch/fifo"; mkfifo "$scratch/fifo"
  (cd "$PEERS_BUILD" && exec "${clean[@]}" "${pin[@]}" "./gemm_$1" "$1" "$threads" >"$scratch/fifo") &
  local pid=$! row
  while IFS= read -r row; do
    kill -STOP "$pid" 2>/dev/null || true
    versus "gemm-$1" echo "$row"
    kill -CONT "$pid" 2>/dev/null || true
  done <"$scratch/fifo"
  wait "$pid"
}
# ours SHAPES: rows of our own best implementation, as those of a peer
ours() {
  "${pin[@]}" "$scratch/ours" -rows "$1" 2>>"$out/errors" | awk -F, 'NR > 1 && $7 != "" { print "hwprofd," $2 "," $3 "," $4 "," $5 "," $7 }'
}

# facts NAME: what a measurement of a network says beside its time, as rows
facts() {
  "${pin[@]}" "$scratch/hwprofd" measure --model "$PEERS_BUILD/models/$1.onnx" --threads "$threads" --budget 2s --json |
    node -e '
      const m = JSON.parse(require("fs").readFileSync(0)), [name, threads] = process.argv.slice(1)
      console.log("peer,kind,shape,dtype,threads,peer_ns,ours_ns,ratio")
      const row = (peer, kind, theirs, ours) => console.log([peer, kind, name, "f32", threads, theirs, ours, ours / theirs].join())
      row("naive", "arena", m.naive_bytes, m.arena_bytes)
      row("kernels", "overhead", m.traced_sum_ns, m.traced_run_ns)
      ' "$1" "$threads" >"$out/facts-$1-$threads-$start-$round.csv"
}
# load NAME: reading a model up to its first result, in processes of their own
load() {
  local theirs ours
  theirs=$(cd "$PEERS_BUILD" && "${pin[@]}" node "$root/internal/peers/ort_load.mjs" "models/$1.onnx" "$threads")
  ours=$("${pin[@]}" "$scratch/hwprofd" measure --model "$PEERS_BUILD/models/$1.onnx" --threads "$threads" --budget 50ms --json | node -e 'console.log(JSON.parse(require("fs").readFileSync(0)).load_ns)')
  { echo peer,kind,shape,dtype,threads,peer_ns,ours_ns,ratio
    awk -v t="$theirs" -v o="$ours" -v name="$1" -v n="$threads" 'BEGIN { printf "onnxruntime,load,%s,f32,%d,%.0f,%.0f,%.4f\n", name, n, t, o, o / t }'
  } >"$out/load-$1-$threads-$start-$round.csv"
}

for round in $(seq "$rounds"); do
  for group in "${groups[@]}"; do
    printf 'round %d of %d: %s (%ds)\n' "$round" "$rounds" "$group" "$SECONDS" >&2
    case $group in
    peak) (cd "$PEERS_BUILD" && "${pin[@]}" ./peak) >"$out/peaks-$start-$round.csv" ;;
    gemm) blas openblas; blas blis ;;
    packed) onednn packed '^gemm_'; onnxruntime packed '^gemm_' ;;
    pointwise) onednn pointwise '^conv.*r1s[12]g'; onnxruntime pointwise '^conv.*r1s[12]g' ;;
    spatial) onednn spatial '^conv.*(r3s1|r3s2|r7s2)g1.onnx'; onnxruntime spatial '^conv.*(r3s1|r3s2|r7s2)g1.onnx' ;;
    depthwise) onednn depthwise '^conv.*g(..|...).onnx'; onnxruntime depthwise '^conv.*g(..|...).onnx' ;;
    attention) onnxruntime attention '^attention_' ;;
    int8) # the peak as a peer, and ONNX Runtime's whole network
      rate=$(cat "$out"/peaks-*.csv 2>/dev/null | awk -F, '$3 ~ /^vpdpbusd/ && $8 > best { best = $8 } END { print best }')
      [ -z "$rate" ] || versus int8 awk -v rate="$rate" -v threads="$threads" 'BEGIN { printf "machine,gemm,m1024n1024k1024,u8s8,%d,%.0f\n", threads, 2 * 1024 ^ 3 / rate / threads }'
      node=("${pin[@]}" node "$peers/ort.mjs" models "$threads" net_resnet50_qdq)
      [ -z "$(models net_resnet50_qdq)" ] || versus int8 sh -c '"$@" | sed "s/,net,net_resnet50_qdq,f32,/,int8,convolutions_of_resnet50,u8s8,/"' sh "${node[@]}" ;;
    train) versus train "${clean[@]}" "${pin[@]}" "${PYTHON:-/usr/bin/python3}" "$root/internal/peers/torch_ops.py" "$threads" ;;
    nets)
      for name in $(models '^net_'); do
        versus nets "${pin[@]}" node "$peers/ort.mjs" models "$threads" "$name.onnx"
      done
      [ "$threads" -gt 1 ] || for name in net_resnet50 net_mobilenetv3; do facts "$name"; done
      [ "$threads" -gt 1 ] || load net_resnet50 ;;
    avx2)
      rows=$(ls "$out"/{packed-onednn,pointwise-onednn,spatial-onednn}-"$threads"-*.csv 2>/dev/null || true)
      [ -n "$rows" ] || continue
      awk -F, '$1 == "onednn" && !seen[$3]++ { print $1 "," $2 "," $3 "," $4 "," $5 "," $6 }' $rows >"$scratch/shapes"
      [ -s "$scratch/shapes" ] || continue
      while read -r shape; do
        echo "$shape" >"$scratch/shape"
        ours "$scratch/shape" >"$scratch/best"
        "${pin[@]}" "$scratch/ours" -use avx2 -rows "$scratch/best" 2>>"$out/errors" >>"$out/avx2-$threads-$start-$round.csv"
      done <"$scratch/shapes" ;;
    *) echo "table.sh: unknown group $group" >&2; exit 2 ;;
    esac
  done
done
"$scratch/ours" -table "$out" -into "$root/docs/$page.md"
