#!/usr/bin/env bash
# fanfold as a Slurm array: the plan here, the tasks as one array, then the fold. With k-mers from 9
# on, a second array counts them after the fold, and behind it comes another fold.
#
#   bash slurm_array.sh GENOME OUT [OPTION OF fanfold plan]...
#   bash slurm_array.sh /shared/genome.fa.gz /shared/results -k 5 -k 8
#
# GENOME and OUT are paths that every node sees, or URLs. The jobs get this shell's environment.
# Prints the id of the fold's job. After a failure run the same line again: what is done is kept.
set -euo pipefail

at_once=${AT_ONCE:-100}              # jobs of the array that run at the same time
most_jobs=${MOST_JOBS:-}             # jobs in the array; as many as Slurm allows when empty
task_needs=(--cpus-per-task=1 --mem=500M --time=01:00:00)
count_needs=(--cpus-per-task=1 --mem=4G --time=04:00:00)
fold_needs=(--cpus-per-task=1 --mem=4G --time=04:00:00)
logs=${LOGS:-fanfold-logs}           # a folder that every node sees

if (($# < 2)); then
    echo "usage: bash slurm_array.sh GENOME OUT [OPTION OF fanfold plan]..." >&2
    exit 2
fi
genome=$1
out=${2%/}
shift 2

# Quick, but for an archive that can't be cut (gzip, zstd, bzip2, xz): that is inflated here. Where
# this host is not for such work, put srun before it.
said=$(fanfold plan "$genome" --out "$out" "$@" 2>&1) || {
    status=$?
    echo "$said" >&2
    exit $status
}
last=$(sed -n 's/^tasks 0 to \([0-9]*\).*/\1/p' <<<"$said")
if [[ -z $last ]]; then
    echo "slurm_array.sh: fanfold plan didn't say how many tasks there are: $said" >&2
    exit 1
fi

counts=$(sed -n 's/.*counts 0 to \([0-9]*\):.*/\1/p' <<<"$said") # none for small k alone

# A cluster's arrays have 1,001 jobs by default, and a plan up to 10,000 slices: job I does slices
# I, I + jobs, I + 2 jobs…
most_jobs=${most_jobs:-$(scontrol show config | sed -n 's/^MaxArraySize *= *//p')}

mkdir -p "$logs"
plan=$(printf %q "$out/plan.json")

# submit_array VERB LAST [OPTION OF sbatch]...: an array that does VERB from 0 to LAST; its id.
submit_array() {
    local verb=$1 last=$2
    local jobs=$((last < most_jobs ? last + 1 : most_jobs))
    shift 2
    sbatch --parsable --job-name="fanfold-$verb" --array="0-$((jobs - 1))%$at_once" --requeue \
        --output="$logs/%A_%a.log" "$@" <<EOF | cut -d ';' -f 1
#!/bin/bash
status=0
for ((index = SLURM_ARRAY_TASK_ID; index <= $last; index += $jobs)); do
    fanfold $verb $plan --index \$index || status=\$?
done
exit \$status
EOF
}

# submit_fold JOB: the fold behind an array; its id. What follows ";" names the cluster, where there
# are several.
#
# afterany, not afterok: the fold finds out by itself what is missing. It names every slice without
# a valid result, and fails, where afterok would leave a job that waits for ever and says nothing.
submit_fold() {
    sbatch --parsable --job-name=fanfold-fold --dependency="afterany:$1" \
        --output="$logs/%j.log" "${fold_needs[@]}" <<EOF | cut -d ';' -f 1
#!/bin/bash
exec fanfold fold $plan
EOF
}

array=$(submit_array task "$last" "${task_needs[@]}")
fold=$(submit_fold "$array")
echo "slices 0 to $last in array $array; then the fold, $fold: see $logs/$fold.log" >&2

if [[ -n $counts ]]; then # that fold ends with 6, as the counts are missing
    array=$(submit_array reduce "$counts" --dependency="afterany:$fold" "${count_needs[@]}")
    fold=$(submit_fold "$array")
    echo "counts 0 to $counts in array $array; then the last fold, $fold: see $logs/$fold.log" >&2
fi
echo "$fold"
