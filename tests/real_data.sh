#!/bin/sh
# All tasks of which DATA has files, fine-tuned from a pre-trained model and from random weights over three seeds; prints a
# Markdown table of the medians over the seeds, times 100, beside the majority answer's.
#
#   tests/real_data.sh MODEL DATA OUT
#
#   MODEL   directory of a pre-trained model of preset `small`
#   DATA    folder of the official files: glue/RTE and so on, snli, scitail
#   OUT     where to work; results that are there already are kept, so a run that was stopped continues
#
# Two cores need hours for the whole of the data, so a run sees the first LONG training examples (CoLA and SST-2, whose
# sentences are short) or SHORT (the others) once. Development sets are scored whole. SciTail, of which DATA may have no
# training set, is trained on its development set and scored on its test set.
#
# Environment:
#   LONG, SHORT   training examples [6000, 1500]
#   SEEDS         seeds ["1 2 3"]
#   BIN           folder of the programs [target/release]
set -eu

if [ $# -ne 3 ]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 1
fi
model=$1 data=$2 out=$3
LONG=${LONG:-6000} SHORT=${SHORT:-1500} SEEDS=${SEEDS:-1 2 3}
here=$(dirname "$0")
[ -d "$data/glue" ] || { echo "error: $data/glue: not found" >&2; exit 1; }
data=$(cd "$data" && pwd)

# What fine-tuning reads, where the development set has 64 rows only, as it is scored by gpt1-evaluate anyway; and what that reads.
mkdir -p "$out/train" "$out/score"
for folder in "$data"/glue/* "$data/snli" "$data/scitail"; do
    name=$(basename "$folder")
    [ -d "$folder" ] || continue
    [ -e "$out/score/$name" ] || ln -s "$folder" "$out/score/$name"
    mkdir -p "$out/train/$name"
    for file in "$folder"/*; do
        to=$out/train/$name/$(basename "$file")
        case $to in
        *dev_ids* | *_test.tsv) ;;
        *dev*) [ -e "$to" ] || head -n 65 "$file" >"$to" ;;
        *) [ -e "$to" ] || ln -s "$file" "$to" ;;
        esac
    done
done
if [ -d "$data/scitail" ] && [ ! -e "$data/scitail/scitail_1.0_train.tsv" ]; then
    rm -f "$out/score/scitail"
    mkdir -p "$out/score/scitail"
    cp "$data/scitail/scitail_1.0_dev.tsv" "$out/train/scitail/scitail_1.0_train.tsv"
    cp "$data/scitail/scitail_1.0_dev.tsv" "$out/score/scitail/scitail_1.0_train.tsv"
    cp "$data/scitail/scitail_1.0_test.tsv" "$out/score/scitail/scitail_1.0_dev.tsv"
fi

# A seed after the other, so that a run that was stopped has whole columns.
run() {
    PRESET=small EVALUATE_DATA=$out/score SEEDS=$1 \
        SETS="finetune.n_epochs=1 finetune.batch_size=16 finetune.learning_rate=5e-4 finetune.max_train_examples=$2" \
        sh "$here/pretraining_helps.sh" "$model" "$out/train" "$out/runs" $3
}
long="cola sst2"
short="mrpc stsb qqp mnli qnli rte wnli snli scitail"
for seed in $SEEDS; do
    run "$seed" "$LONG" "$long" >"$out/table-$seed.md"
    run "$seed" "$SHORT" "$short" >>"$out/table-$seed.md"
done
run "$SEEDS" "$LONG" "$long"
run "$SEEDS" "$SHORT" "$short" | tail -n +3
