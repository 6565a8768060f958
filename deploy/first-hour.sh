#!/usr/bin/env bash
# Proves a deployment on a real account, step by step: ./first-hour.sh --help, docs/first-hour.md
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly here
readonly name=${FIRST_HOUR_NAME:-fanfold-first-hour}
readonly slices=${FIRST_HOUR_SLICES:-32}
readonly posts=${FIRST_HOUR_POSTS:-100}
readonly record=${FIRST_HOUR_RECORD:-$PWD/first-hour-record}
readonly slice_bytes=8388608 # the smallest slice of the cloud
readonly steps=(deploy missing job kill spot posts upgrade destroy)

scratch="" # the genome and the local reports; removed at the end
salt=""    # the same id is replaced by the same other one in all of a run's files

main() {
    trap finish EXIT
    case "${1-}" in
    -h | --help) usage && return ;;
    esac
    local step
    for step in "$@"; do
        case " ${steps[*]} " in
        *" $step "*) ;;
        *) stop "$step is no step: ${steps[*]}" ;;
        esac
    done
    check_tools
    scratch=$(mktemp -d)
    salt=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
    mkdir -p "$record"
    find_region
    export AWS_PAGER="" FANFOLD_NAME="$name"
    if [ $# -eq 0 ]; then set -- "${steps[@]}"; fi
    for step in "$@"; do
        if [ "$step" != deploy ]; then find_deployment; fi
        "step_$step"
    done
    say "" "All steps that were asked for went as expected. What was answered is in $record."
}

usage() {
    cat <<USAGE
./first-hour.sh             all steps, in this order
./first-hour.sh STEP…       some: ${steps[*]}

A deployment of its own, called $name, is made, put to the proof, and taken down; that costs less
than 1 USD. A step that doesn't go as expected stops the rest, and says what it found. Answers and
events are saved in ./first-hour-record, without the account's ids.

Environment:
  FIRST_HOUR_NAME    the deployment ($name)
  FIRST_HOUR_SLICES  of the genome that is analysed ($slices)
  FIRST_HOUR_POSTS   jobs that are posted at once ($posts)
  FIRST_HOUR_RECORD  where answers and events are saved
USAGE
}

# --- The steps ------------------------------------------------------------------------------------

step_deploy() {
    begin deploy "deploy.sh shows the price at rest, then makes some 150 resources in a few minutes" \
        "the documented policy is enough, and a new account's quotas are"
    aws sts get-caller-identity | save caller.json
    "$here/deploy.sh" --yes -var=max_vcpus=4 >"$scratch/outputs"
    find_deployment
    watch_events
    say "deployed: $api"
}

step_missing() {
    begin missing "the answer 404, no-such-object" "roles may see that a key isn't there"
    post "input/not-there.fa" >"$scratch/answer" 2>&1 && stop "a key that isn't there was taken"
    save missing.txt <"$scratch/answer"
    grep -q "there is no such object" "$scratch/answer" || stop "$(cat "$scratch/answer")"
}

step_job() {
    begin job "$slices slices, and a report with the bytes of a local run" \
        "API, functions, containers, events and roles work together"
    upload
    post input/genome.fa -k 5 -k 8 --slice-size "$slice_bytes" --wait --out "$scratch/cloud" \
        >/dev/null
    fanfold run "$scratch/genome.fa" -k 5 -k 8 --quiet --out "$scratch/local" >/dev/null
    cmp "$scratch/cloud/master.json" "$scratch/local/master.json" ||
        stop "the report differs from that of a local run"
    local job
    job=$(newest)
    save_job "$job" job
    aws s3 cp --quiet "s3://$bucket/results/$job/cost.json" - | tee "$scratch/cost" | save cost.json
    say "cost: $(sed -n 's/.*"estimated_cost_usd": *\([0-9.e-]*\).*/\1/p' "$scratch/cost") USD"
}

step_kill() {
    begin kill "a job that FAILED for one slice; posted again, it scans this one alone" \
        "a child that is killed is told of, and what was done is kept"
    local job id
    upload
    job=$(post input/genome.fa -k 6 --slice-size "$slice_bytes" 2>/dev/null)
    id=$(batch_id "$job-task-1")
    aws batch terminate-job --job-id "$id:1" --reason "the first hour kills a child"
    fanfold status "$job" --wait --quiet >/dev/null 2>&1 && stop "the job succeeded without slice 1"
    save_job "$job" killed
    fanfold status "$job" | grep "slice 1 " || stop "$(fanfold status "$job")"
    post input/genome.fa -k 6 --slice-size "$slice_bytes" >/dev/null 2>&1
    fanfold status "$job" --wait --quiet >/dev/null || stop "$(fanfold status "$job")"
    save_job "$job" killed-again
}

step_spot() {
    begin spot "the queue's order changes, twice, and nothing is replaced" \
        "Spot can be switched on and off where it is deployed"
    local switch
    for switch in true false; do
        "$here/deploy.sh" --yes -var=max_vcpus=4 -var=spot="$switch" >/dev/null
        aws batch describe-job-queues --job-queues "$name" | save "queue-spot-$switch.json"
        post input/genome.fa -k 2 --slice-size $((slice_bytes * slices)) --wait \
            --out "$scratch/spot-$switch" >/dev/null
    done
    cmp "$scratch/spot-true/master.json" "$scratch/spot-false/master.json" ||
        stop "the reports differ"
}

step_posts() {
    begin posts "$posts jobs SUCCEEDED, none twice" \
        "the API's rate, the functions' concurrency and the client's patience fit each other"
    local at jobs states
    for ((at = 0; at < posts; at++)); do
        printf '>tiny_%s\nACGTTGCA\n' "$at" >"$scratch/tiny" # no two are the same object
        aws s3 cp --quiet "$scratch/tiny" "s3://$bucket/input/tiny/$at.fa"
    done
    jobs=$(seq 0 $((posts - 1)) |
        xargs -P 20 -I{} fanfold submit --quiet "s3://$bucket/input/tiny/{}.fa" -k 1)
    [ "$(sort -u <<<"$jobs" | wc -l)" -eq "$posts" ] || stop "not every post made a job"
    # shellcheck disable=SC2016 # xargs' own
    states=$(xargs -P 8 -I{} sh -c 'fanfold status {} --wait --quiet >/dev/null 2>&1; echo $?' <<<"$jobs")
    [ "$(grep -cx 0 <<<"$states")" -eq "$posts" ] || stop "of $posts jobs, not all SUCCEEDED"
}

# Another image: a label is enough. The file is put back, whatever happens.
step_upgrade() {
    begin upgrade "deploy.sh tells of the open job, and the job ends with the image it began with" \
        "an upgrade loses nothing"
    local job
    upload
    job=$(post input/genome.fa -k 7 --slice-size "$slice_bytes" 2>/dev/null)
    cp "$here/Dockerfile" "$scratch/Dockerfile"
    printf 'LABEL first-hour="%s"\n' "$salt" >>"$here/Dockerfile"
    "$here/deploy.sh" --yes -var=max_vcpus=4 >/dev/null 2>"$scratch/said" || {
        cat "$scratch/said" >&2
        stop "the upgrade failed"
    }
    restore
    grep -i "open" "$scratch/said" || say "(the job had ended before the upgrade began)"
    fanfold status "$job" --wait --quiet >/dev/null || stop "$(fanfold status "$job")"
    save_job "$job" upgraded
    aws s3 cp --quiet "s3://$bucket/results/$job/request.json" - | save upgraded-request.json
    aws batch describe-job-definitions --status ACTIVE --job-definition-name "$name-task" |
        save definitions.json
}

step_destroy() {
    begin destroy "a refusal while there is data, then nothing left" \
        "it can be left without a trace"
    save_events
    "$here/deploy.sh" destroy --yes >"$scratch/said" 2>&1 && stop "data was deleted unasked"
    grep "There is data in" "$scratch/said" || stop "$(cat "$scratch/said")"
    "$here/deploy.sh" destroy --delete-data --yes >/dev/null
    list_left | tee "$record/left.txt"
    [ ! -s "$record/left.txt" ] || stop "the above is left"
}

# --- What the steps share -------------------------------------------------------------------------

check_tools() {
    local tool
    for tool in aws fanfold python3 cmp xargs; do
        command -v "$tool" >/dev/null || stop "$tool is missing (fanfold: pip install 'fanfold[aws]')"
    done
}

find_region() {
    AWS_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
    [ -n "$AWS_REGION" ] || stop "there is no region: export AWS_REGION=eu-west-1"
    # Version 1 of the AWS CLI reads only the second.
    export AWS_REGION AWS_DEFAULT_REGION="$AWS_REGION"
}

# Where the deployment answers.
find_deployment() {
    local account folder
    account=$(aws sts get-caller-identity --query Account --output text)
    folder="$here/deployments/$account-$AWS_REGION-$name"
    [ -d "$folder" ] || stop "$name isn't deployed: begin with ./first-hour.sh deploy"
    api=$(terraform -chdir="$folder" output -raw api_url)
    bucket=$(terraform -chdir="$folder" output -raw bucket)
    queue=$(terraform -chdir="$folder" output -raw queue_arn)
    export FANFOLD_API_URL=$api
}

# A genome of so many slices, the same every time; once a run.
upload() {
    if [ -e "$scratch/genome.fa" ]; then return; fi
    python3 - "$((slices * slice_bytes))" >"$scratch/genome.fa" <<'PYTHON'
import random, sys
draw = random.Random(1)
lines = ["".join(draw.choices("ACGTN", (30, 20, 20, 30, 1), k=80)) for _ in range(1000)]
wanted, written = int(sys.argv[1]), 0
while written < wanted:
    record = f">contig_{written}\n" + "\n".join(draw.sample(lines, 1000)) + "\n"
    record = record[: wanted - written]
    written += sys.stdout.write(record)
PYTHON
    aws s3 cp --quiet "$scratch/genome.fa" "s3://$bucket/input/genome.fa"
}

post() {
    fanfold submit "s3://$bucket/$1" "${@:2}"
}

newest() {
    fanfold jobs --limit 1 --json | sed -n 's/.*"job": "\([0-9a-f]*\)".*/\1/p' | head -n 1
}

# The id of a Batch job; the chunker submits it a few seconds after the post.
batch_id() {
    local round id
    for round in {1..120}; do
        id=$(aws batch list-jobs --job-queue "$queue" --filters "name=JOB_NAME,values=$1" \
            --query 'jobSummaryList[0].jobId' --output text)
        if [ "$id" != None ]; then
            printf '%s' "$id"
            return
        fi
        sleep 1
    done
    stop "Batch has no job $1 after $round tries"
}

# What the API and Batch say of a job.
save_job() {
    local id
    fanfold status "$1" --json | save "$2-status.json"
    id=$(batch_id "$1-task-1")
    aws batch describe-jobs --jobs "$id" | save "$2-batch.json"
}

# Batch's own events go to a queue beside the deployment, until the end.
watch_events() {
    local account region url arn
    account=$(cut -d: -f5 <<<"$queue")
    region=$(cut -d: -f4 <<<"$queue")
    arn="arn:aws:sqs:$region:$account:$name-events"
    url=$(aws sqs create-queue --queue-name "$name-events" --query QueueUrl --output text)
    python3 - "$arn" "$queue" "$scratch" <<'PYTHON'
import json, pathlib, sys
arn, queue, scratch = sys.argv[1:]
policy = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage", "Resource": arn}]}
pattern = {"source": ["aws.batch"], "detail": {"jobQueue": [queue]}}
folder = pathlib.Path(scratch)
(folder / "attributes").write_text(json.dumps({"Policy": json.dumps(policy)}))
(folder / "pattern").write_text(json.dumps(pattern))
PYTHON
    aws sqs set-queue-attributes --queue-url "$url" --attributes "file://$scratch/attributes"
    aws events put-rule --name "$name-events" --event-pattern "file://$scratch/pattern" >/dev/null
    aws events put-targets --rule "$name-events" --targets "Id=events,Arn=$arn" >/dev/null
}

save_events() {
    local url round
    url=$(aws sqs get-queue-url --queue-name "$name-events" --query QueueUrl --output text \
        2>/dev/null) || return 0
    for round in {1..200}; do
        aws sqs receive-message --queue-url "$url" --max-number-of-messages 10 \
            --query 'Messages[].Body' --output json >"$scratch/messages"
        if ! grep -q detail-type "$scratch/messages"; then break; fi
        cat "$scratch/messages"
    done | save events.json
    aws events remove-targets --rule "$name-events" --ids events >/dev/null
    aws events delete-rule --name "$name-events"
    aws sqs delete-queue --queue-url "$url"
}

# What bears the deployment's name and is still there.
list_left() {
    {
        aws s3api list-buckets --query 'Buckets[].Name' --output text
        aws logs describe-log-groups --query 'logGroups[].logGroupName' --output text
        aws iam list-roles --query 'Roles[].RoleName' --output text
        aws lambda list-functions --query 'Functions[].FunctionName' --output text
        aws sqs list-queues --query 'QueueUrls[]' --output text
        aws events list-rules --query 'Rules[].Name' --output text
        aws batch describe-job-definitions --status ACTIVE \
            --query 'jobDefinitions[].jobDefinitionName' --output text
        aws batch describe-job-queues --query 'jobQueues[].jobQueueName' --output text
        aws batch describe-compute-environments \
            --query 'computeEnvironments[].computeEnvironmentName' --output text
        aws ecr describe-repositories --query 'repositories[].repositoryName' --output text
        aws apigateway get-rest-apis --query 'items[].name' --output text
        aws cloudwatch describe-alarms --query 'MetricAlarms[].AlarmName' --output text
        aws ec2 describe-vpcs --query "Vpcs[?Tags[?Value=='$name']].VpcId" --output text
    } | tr '\t' '\n' | grep -v '^None$' | grep -e "$name" -e '^vpc-' || true
}

# Standard input into the record, without the account's ids.
save() {
    python3 "$here/scrub.py" "$salt" >"$record/$1"
}

begin() {
    say "" "--- $1" "expect: $2" "proves: $3"
}

say() {
    printf '%s\n' "$@" >&2
}

stop() {
    printf 'first-hour.sh: %s\n' "$1" >&2
    # Before the first step there is nothing to look at.
    [ -z "$scratch" ] ||
        printf '    The deployment is still there: look, then ./first-hour.sh destroy\n' >&2
    exit 1
}

restore() {
    if [ -e "$scratch/Dockerfile" ]; then mv "$scratch/Dockerfile" "$here/Dockerfile"; fi
}

finish() {
    if [ -z "$scratch" ]; then return; fi
    restore
    rm -rf "$scratch"
}

main "$@"
