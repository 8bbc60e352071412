#!/bin/sh
# Makes the table of docs/prediction.md on this machine: a latency table within
# five minutes, then 300 networks that it has not seen, of four spaces and of
# well-known models of other sizes.
#
#   predictor/table.sh FOLDER [SEED [RUNTIME]]
#
# What is in FOLDER already is not made again. RUNTIME is an adapter, such as
# onnxruntime; without one it is our own.
set -eu
folder=$1 seed=${2:-3} runtime=${3:+--runtime $3}
spaces='--space mobile28 --space nasbench201 --space ofa-mobilenetv3 --space fbnet'
mkdir -p "$folder/models"
run=$folder/hwprofd
[ -x "$run" ] || CGO_ENABLED=0 go build -o "$run" ./cmd/hwprofd

# model NAME SIZE WIDTH DEPTH
model() {
	file=$folder/models/$1_$2_$3_$4.onnx
	[ -e "$file" ] || "$run" graph zoo "$1" -o "$file" --size "$2" --width "$3" --depth "$4"
}
for size in 96 128 160 192 224; do
	for name in resnet18 resnet50 mobilenetv1 mobilenetv2 mobilenetv3 efficientnet_b0; do
		case $size in
		96 | 160 | 224) model $name $size 0.5 0 ;;
		*) model $name $size 0.75 0 ;;
		esac
	done
	model mobilenetv2 $size 1 0
	model resnet18 $size 0.25 0
	model vit_tiny $size 0.67 4
	model vit_tiny $size 1 $((size / 20))
done
for length in 16 32 64 128; do
	model bert $length 0.34 2
	model bert $length 0.5 3
	model tdnn $((length + 40)) 0.5 0
	model unet $((length / 16 * 16 + 48)) 0.25 0
done

# Every third model is new to the table.
fit='' test='' i=0
for file in "$folder"/models/*.onnx; do
	i=$((i + 1))
	if [ $((i % 3)) = 0 ]; then test="$test --model $file"; else fit="$fit --model $file"; fi
done
[ -e "$folder/lut.parquet" ] || "$run" profile $runtime -o "$folder/lut.parquet" --cover 5m --seed "$seed" $spaces $fit
"$run" evaluate $runtime --lut "$folder/lut.parquet" --sample 70 --seed "$seed" $spaces $test \
	--budget 1s --measured "$folder/measured.parquet" --leave-out --plot "$folder/errors.svg"
