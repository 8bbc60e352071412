#!/bin/sh
# An adapter for TensorFlow Lite's program benchmark_model, for devices where
# nothing but a binary runs, such as Android's shell.
#   hwprofd profile --runtime ./adapters/benchmark_model.sh -o phone.lut.parquet --model net.onnx -- 1 --use_xnnpack=true
# The arguments are the number of threads and options of benchmark_model. The
# program is $BENCHMARK_MODEL, by default benchmark_model on the path. It reads
# .tflite files: one must stand beside each ONNX file (net.tflite for net.onnx),
# or $ONNX2TFLITE must be a command that makes one: ONNX2TFLITE IN.onnx OUT.tflite.
# NOT RUN with benchmark_model by its authors, who could not get it: it was tried
# with a stand-in that prints what the program prints (adapters/testdata).
threads=${1:-1}
[ $# -gt 0 ] && shift
program=${BENCHMARK_MODEL:-benchmark_model}
model= clock=0 scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

refuse() { printf '{"ok":false,"error":"%s"}\n' "$(printf %s "$1" | tr -d '\\"' | tr '[:cntrl:]' ' ' | cut -c 1-300)"; }
field() { printf %s "$line" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; } # paths of hwprofd need no escapes
number() { printf %s "$line" | sed -n "s/.*\"$1\":\(-\{0,1\}[0-9]*\).*/\1/p"; }

# bench RUNS OPTION...: the mean time of a run in ns, into $ns, or an error
bench() {
  runs=$1; shift
  "$program" --graph="$model" --num_threads="$threads" --num_runs="$runs" --warmup_runs=1 --min_secs=0 --warmup_min_secs=0 "$@" >"$scratch/out" 2>&1 || return 1
  # "Inference timings in us: Init: 81, First inference: 70, Warmup (avg): 52, Inference (avg): 51.7"
  ns=$(sed -n 's/.*Inference (avg): *\([0-9.e+]*\).*/\1/p' "$scratch/out" | tail -n 1 | awk '{ printf "%.0f", $1 * 1000 }')
  [ -n "$ns" ]
}
last() { tail -n 1 "$scratch/out"; }

load() {
  given=$(field model) model=
  case $given in *.onnx) ;; *) refuse "model $given is no ONNX file"; return ;; esac
  [ -r "$given" ] || { refuse "model $given cannot be read"; return; }
  model=${given%.onnx}.tflite
  if [ -n "$ONNX2TFLITE" ]; then
    model=$scratch/model.tflite
    $ONNX2TFLITE "$given" "$model" >"$scratch/out" 2>&1 || { model=; refuse "conversion: $(last)"; return; }
  fi
  bench 1 "$@" || { model=; refuse "benchmark_model: $(last)"; return; }
  echo '{"ok":true}'
}

while IFS= read -r line; do
  case $(field op) in
    hello) echo "{\"ok\":true,\"protocol\":1,\"name\":\"benchmark_model\",\"version\":\"${BENCHMARK_MODEL_VERSION:-unknown}\",\"options\":{\"arguments\":\"$(printf %s "$*" | tr -d '\\"')\"},\"threads\":$threads,\"clock_step_ns\":1000,\"can\":[]}" ;;
    load) load "$@" ;;
    run)
      n=$(number n)
      case $line in *}) ;; *) n= ;; esac # a line that was cut is not JSON
      if [ -z "$model" ]; then refuse "no model is loaded"
      elif [ -z "$n" ] || [ "$n" -lt 1 ]; then refuse "n is not one or more"
      elif bench "$n" "$@"; then
        start=$clock
        clock=$(awk "BEGIN { printf \"%.0f\", $clock + $n * $ns }") # Android's shell counts to 2^31
        echo "{\"ok\":true,\"start_ns\":$start,\"end_ns\":$clock}"
      else refuse "benchmark_model: $(last)"
      fi ;;
    unload) model=; echo '{"ok":true}' ;;
    shutdown) echo '{"ok":true}'; exit 0 ;;
    *) refuse "not understood: $line" ;;
  esac
done
