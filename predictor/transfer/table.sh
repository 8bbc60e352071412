#!/usr/bin/env bash
# Prints the tables of docs/transfer.md that report on devices nothing was chosen
# with: table.sh FOLDER [fewshot|designed|many], where FOLDER has the published
# tables (help/) and hwprofd is on PATH. many is of 100 and 900 measurements
# beside what 6,000 reach, also of the validation devices; it takes some minutes.
set -euo pipefail
folder=${1:?folder of the published tables} part=${2:-fewshot}
train=1080ti_1,1080ti_32,1080ti_256,silver_4114,silver_4210r,samsung_a50,pixel3,essential_ph_1,samsung_s7
run() { # run SPACE DEVICE OPTIONS...
  local file=$folder/$1_latency_ms.csv.gz devices=$train
  [ "$1" != fbnet ] || devices=${train/256/64}
  hwprofd transfer --space "$1" --known "$file" --train "$devices" --unknown "$file" --target "$2" --seed 7 --json "${@:3}" |
    awk -F'[:,]' -v name="$1, $2${label:+, $label}" '/spearman_mean/{r=$2}/spearman_std/{d=$2}/within10/{w=$2}/median_error/{m=$2}/coverage90/{c=$2}/half_width90/{h=$2}/"seconds"/{s=$2}
      END{printf "| %s | %.3f ± %.3f | %.1f%% | %.1f%% | %.1f%% | %.1f%% | %.1f |\n", name, r, d, 100*w, 100*m, 100*c, 100*h, s}'
}
echo "| space, device | Spearman | within 10% | median error | 90% intervals hold | median half-width | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
case $part in
  fewshot) for d in gold_6226 raspi4 eyeriss; do run nasbench201 "$d"; done; run fbnet raspi4 ;;
  designed) for d in gold_6226 raspi4 eyeriss; do run nasbench201 "$d" --choose designed; done; run fbnet raspi4 --choose designed ;;
  many) for d in titanx_1 titanx_32 titanx_256 gold_6240 gold_6226 raspi4 eyeriss; do
    for k in 100 900 6000; do label=$k run nasbench201 "$d" --samples "$k" --repeats 1; done
  done ;;
esac
