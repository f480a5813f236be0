#!/bin/sh
# Does pre-training help? Fine-tunes tasks from a pre-trained model and from random weights, over several seeds, and prints
# a Markdown table of the medians of each metric, times 100, beside the majority answer's.
#
#   tests/pretraining_helps.sh MODEL DATA OUT TASK...
#
#   MODEL   directory of a pre-trained model (it has the vocabulary too)
#   DATA    folder that holds the tasks' official folders
#   OUT     where to work; results that are there already are kept, so a run that was stopped continues. Name another folder
#           for other settings.
#   TASK    cola sst2 mrpc stsb qqp mnli qnli rte wnli snli scitail race storycloze
#
# Environment:
#   PRESET  preset of both runs; its shape must be the model's [tiny]
#   SEEDS   seeds ["1 2 3 4 5"]
#   SETS    overrides for gpt1-finetune, separated by spaces, such as "finetune.n_epochs=5" [none]
#   SPLIT   split to score [dev]
#   EVALUATE_DATA  as DATA, for the scores alone [DATA]
#   BIN     folder of the programs [target/release]
#
# Two runs of one thread each work at a time. Needs a POSIX shell, and xargs with -P.
set -eu

if [ $# -lt 4 ]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 1
fi
model=$1 data=$2 out=$3
shift 3
tasks=$*
PRESET=${PRESET:-tiny} SEEDS=${SEEDS:-1 2 3 4 5} SETS=${SETS:-} SPLIT=${SPLIT:-dev} BIN=${BIN:-target/release}
EVALUATE_DATA=${EVALUATE_DATA:-$data}
export model data out PRESET SETS SPLIT EVALUATE_DATA BIN

for file in "$BIN/gpt1-finetune" "$BIN/gpt1-evaluate" "$model/config.json" "$data"; do
    [ -e "$file" ] || { echo "error: $file: not found" >&2; exit 1; }
done
mkdir -p "$out"

# One run: fine-tune, check that both kinds of runs have one shape, score; the fine-tuned model is not kept.
one='
    task=$1 seed=$2 init=$3
    at=$out/$task-$init-$seed
    [ -e "$at-scores/scores.json" ] && exit 0
    if [ "$init" = scratch ]; then set -- scratch; else set -- "$model"; fi
    set -- --init "$1" --tokenizer "$model"
    for set in $SETS; do set -- "$@" --set "$set"; done
    (
        set -e
        "$BIN/gpt1-finetune" --config "$PRESET" --set "finetune.seed=$seed" --task "$task" "$@" \
            --data "$data" --out "$at" --threads 1
        for key in n_layer n_head n_embd n_positions; do
            wanted=$(grep "\"$key\":" "$model/config.json" | tr -d " ,")
            found=$(grep "\"$key\":" "$at/config.json" | tr -d " ,")
            [ "$wanted" = "$found" ] || { echo "error: $init has $found, the model $wanted: wrong PRESET?"; exit 1; }
        done
        "$BIN/gpt1-evaluate" --task "$task" --model "$at" --data "$EVALUATE_DATA" --split "$SPLIT" --out "$at-scores" --threads 1
    ) >"$at.log" 2>&1
    if [ $? -ne 0 ]; then
        echo "error: $task $init seed $seed failed; the end of $at.log:" >&2
        tail -n 5 "$at.log" >&2
        exit 255
    fi
    rm -rf "$at"
    echo "done: $task $init seed $seed" >&2
'
for task in $tasks; do
    for seed in $SEEDS; do
        for init in pretrained scratch; do
            echo "$task $seed $init"
        done
    done
done | xargs -P 2 -L 1 sh -c "$one" run || exit 1

# "key value" for each metric of an object ("metrics", "majority") in scores.json.
values() {
    awk -v object="\"$2\": {" 'found && /}/ { exit } found { gsub(/[",:]/, ""); print $1, $2 } index($0, object) { found = 1 }' "$1"
}
# The median over the seeds: task, init, object, metric.
median() {
    for seed in $SEEDS; do values "$out/$1-$2-$seed-scores/scores.json" "$3"; done |
        awk -v metric="$4" '$1 == metric { print 100 * $2 }' | sort -g |
        awk '{ x[NR] = $1 } END { printf "%.1f\n", (x[int((NR + 1) / 2)] + x[int((NR + 2) / 2)]) / 2 }'
}

echo "| task | metric | pre-trained | scratch | difference | majority |"
echo "|---|---|---|---|---|---|"
for task in $tasks; do
    for metric in $(values "$out/$task-pretrained-${SEEDS%% *}-scores/scores.json" metrics | cut -d " " -f 1); do
        a=$(median "$task" pretrained metrics "$metric")
        b=$(median "$task" scratch metrics "$metric")
        c=$(median "$task" pretrained majority "$metric")
        echo "| $task | $metric | $a | $b | $(awk "BEGIN { printf \"%+.1f\", $a - $b }") | $c |"
    done
done
