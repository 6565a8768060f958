#!/usr/bin/env bash
# Puts fanfold on AWS, and takes it down again: ./deploy.sh --help
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly here
readonly build="$here/.build"
readonly registry_address=module.storage.aws_ecr_repository.this
readonly bucket_address=module.storage.aws_s3_bucket.this
readonly queue_address=module.batch.aws_batch_job_queue.this
readonly no_digest=sha256:0000000000000000000000000000000000000000000000000000000000000000
readonly builder=fanfold

step="reading the arguments" # what is under way, and what to do when it fails
advice="Run ./deploy.sh --help."
told=""       # an error was told already
incomplete="" # something is missing
scratch=""    # a folder for what tools say
signed_in=""  # the registry that Docker was signed in to
python=""     # has maturin and ziglang
variables=()  # -var and -var-file, as given

main() {
    trap finish EXIT
    local task=deploy delete_data=""
    while [ $# -gt 0 ]; do
        case "$1" in
        --plan) task=plan ;;
        destroy) task=destroy ;;
        --delete-data) delete_data=yes ;;
        -var-file=*)
            [ -r "${1#*=}" ] || stop "${1#*=} can't be read."
            variables+=("-var-file=$(absolute "${1#*=}")")
            ;;
        -var=*) variables+=("$1") ;;
        -h | --help) usage && return ;;
        *) stop "$1 is no argument of mine." "Run ./deploy.sh --help." ;;
        esac
        shift
    done
    [ -z "$delete_data" ] || [ "$task" = destroy ] || stop "--delete-data belongs to destroy."
    scratch=$(mktemp -d)
    export TF_IN_AUTOMATION=1 TF_INPUT=0 AWS_PAGER=""
    if [ ! -t 2 ]; then export TF_CLI_ARGS="-no-color ${TF_CLI_ARGS-}"; fi
    if [ -n "${FANFOLD_NAME-}" ]; then variables+=("-var=name=$FANFOLD_NAME"); fi
    if [ "$task" = destroy ]; then destroy "$delete_data"; else deploy "$task"; fi
}

usage() {
    cat <<'USAGE'
./deploy.sh                          checks, builds, pushes, applies; again: what has changed
./deploy.sh --plan                   shows what would be done; creates and pushes nothing
./deploy.sh destroy                  takes everything down; refuses while there is data
./deploy.sh destroy --delete-data    takes everything down, the data too

Terraform's variables (deploy/terraform/variables.tf): -var=NAME=VALUE, -var-file=FILE, TF_VAR_NAME
in the environment, or deploy/terraform/terraform.tfvars. Its state is deploy/terraform/terraform.tfstate;
for another place write a backend into deploy/terraform/backend.tf, its settings into backend.hcl.

Environment:
  FANFOLD_NAME    what every resource is called, or begins with (fanfold)
  FANFOLD_PYTHON  a Python that has maturin and ziglang (one made in deploy/.venv)
  AWS_REGION      where; and all that the AWS CLI reads: AWS_PROFILE, ...
USAGE
}

# --- The two tasks --------------------------------------------------------------------------------

deploy() {
    local task=$1 account architecture tag repository digest
    check_prerequisites deploy
    account=$(aws sts get-caller-identity --query Account --output text)
    start_terraform
    check_variables
    check_quota
    architecture=$(setting architecture)
    prepare_python
    build_functions "$architecture"
    build_image
    tag=$(image_tag)

    begin "looking for the image" "The message of aws is above."
    repository=$(in_state "$registry_address" repository_url)
    digest=$(pushed_digest "$repository" "$tag")
    if [ "$task" = plan ]; then
        repository=${repository:-$account.dkr.ecr.$AWS_REGION.amazonaws.com/$(setting name)}
        show_plan "$repository" "$digest" "$architecture"
        return
    fi
    if [ "$digest" = none ]; then
        create_registry "$architecture"
        repository=$(in_state "$registry_address" repository_url)
        digest=""
    fi
    if [ -z "$digest" ]; then
        push_image "$repository" "$tag"
        digest=$(pushed_digest "$repository" "$tag")
        [ -n "$digest" ] || stop "The registry doesn't have the image that was pushed: $repository:$tag" \
            "Run ./deploy.sh again."
    else
        say "the image is there already: $tag"
    fi
    apply_all "$repository@$digest" "$architecture"
    show_outputs
}

destroy() {
    local delete_data=$1 bucket queue last
    check_prerequisites destroy
    start_terraform
    begin "reading Terraform's state" "Terraform's message is above."
    read_state
    if [ ! -s "$scratch/state" ]; then
        say "Nothing is deployed: Terraform's state is empty."
        return
    fi
    bucket=$(in_state "$bucket_address" bucket)
    if [ -n "$bucket" ] && [ -z "$delete_data" ]; then refuse_data "$bucket"; fi
    queue=$(in_state "$queue_address" arn)
    if [ -n "$queue" ]; then stop_jobs "$queue"; fi

    make_empty_functions
    last=("-var=image=stand-in@$no_digest" "-var=functions_dir=$scratch/functions-none" -var=delete_data=true)
    if [ -n "$bucket" ]; then
        begin "letting the bucket go" "Run ./deploy.sh destroy again once it is mended."
        with_variables apply -auto-approve "-target=$bucket_address" "${last[@]}" >&2
    fi
    begin "taking everything down" "Run ./deploy.sh destroy again once it is mended: it goes on."
    with_variables destroy -auto-approve "${last[@]}" >&2
    say "Nothing is left."
}

# --- What must be there ---------------------------------------------------------------------------

check_prerequisites() {
    begin "checking what is needed" ""
    if need terraform "https://developer.hashicorp.com/terraform/install"; then
        at_least 1 11 "$(terraform version | sed -n '1s/^Terraform v//p')" ||
            missing "Terraform 1.11 or newer" "https://developer.hashicorp.com/terraform/install"
    fi
    if [ "$1" = deploy ]; then check_builders; fi
    check_account
    [ -z "$incomplete" ] || stop "What is missing is listed above; nothing was done."
}

check_builders() {
    "$here/../scripts/check-prerequisites" "${FANFOLD_PYTHON:-python3}" || incomplete=yes
    need docker "https://docs.docker.com/engine/install" || return 0
    docker buildx version >/dev/null 2>&1 ||
        missing "docker buildx" "https://github.com/docker/buildx#installing; Debian: apt-get install docker-buildx-plugin"
    docker info >/dev/null 2>&1 ||
        missing "a running Docker engine" "start Docker; does \"docker info\" work without sudo?"
}

check_account() {
    need aws "the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" ||
        return 0
    AWS_REGION=$(find_region)
    export AWS_REGION
    if [ -z "$AWS_REGION" ]; then missing "a region" "export AWS_REGION=eu-west-1, or: aws configure"; fi
    aws sts get-caller-identity --region "${AWS_REGION:-us-east-1}" >/dev/null 2>"$scratch/said" ||
        missing "credentials for AWS" "aws configure, or aws sso login, or AWS_PROFILE. aws says: $(said)"
}

need() {
    command -v "$1" >/dev/null 2>&1 || { missing "$1" "$2" && return 1; }
}

missing() {
    printf 'missing: %s\n    %s\n' "$1" "$2" >&2
    incomplete=yes
}

# Whether version $3 is $1.$2 or newer.
at_least() {
    local major minor
    IFS=. read -r major minor _ <<<"$3."
    [ "${major:-0}" -gt "$1" ] || { [ "${major:-0}" -eq "$1" ] && [ "${minor:-0}" -ge "$2" ]; }
}

# Terraform's own variable first: the region is where Terraform puts things.
find_region() {
    local argument found=""
    for argument in ${variables[@]+"${variables[@]}"}; do
        case "$argument" in
        -var=region=*) found=${argument#-var=region=} ;;
        -var-file=*) found=$(region_of_file "${argument#*=}" "$found") ;;
        esac
    done
    found=${found:-$(region_of_file "$here/terraform/terraform.tfvars" "${TF_VAR_region-}")}
    found=${found:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
    printf '%s' "${found:-$(aws configure get region 2>/dev/null || true)}"
}

region_of_file() {
    local found=""
    if [ -r "$1" ]; then
        found=$(sed -n 's/^[[:space:]]*region[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' "$1")
    fi
    printf '%s' "${found:-$2}"
}

check_quota() {
    local wanted kind code quota
    begin "asking for the Fargate quota" ""
    wanted=$(setting max_vcpus)
    if [ "$(setting spot)" = true ]; then
        kind=Spot code=L-36FBB829
    else
        kind=On-Demand code=L-3032A538
    fi
    if ! quota=$(aws service-quotas get-service-quota --service-code fargate --quota-code "$code" \
        --query Quota.Value --output text 2>"$scratch/said"); then
        say "warning: the Fargate $kind quota can't be read, so max_vcpus = $wanted isn't held against it: $(said)"
        return
    fi
    quota=${quota%%.*}
    [ "$wanted" -le "$quota" ] || stop \
        "max_vcpus is $wanted, but this account may run $quota vCPUs of Fargate $kind in $AWS_REGION (quota $code)." \
        "Ask for more in the console of Service Quotas, or set TF_VAR_max_vcpus=$quota."
}

# --- Builds ---------------------------------------------------------------------------------------

# A Python with the pinned maturin and zig; made anew when the pins change.
prepare_python() {
    local folder="$here/.venv" pins="$here/requirements-build.txt"
    python=${FANFOLD_PYTHON:-$folder/bin/python}
    if [ -n "${FANFOLD_PYTHON-}" ] || cmp -s "$pins" "$folder/pins"; then return; fi
    begin "setting up deploy/.venv: maturin and zig" "The message of pip is above."
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --only-binary=:all: -r "$pins" >&2
    cp "$pins" "$folder/pins"
}

build_functions() {
    begin "building the functions for $1" "What is missing is said above."
    "$python" "$here/build.py" functions --architecture "$1" --out "$build/functions-$1" >/dev/null
}

build_image() {
    begin "preparing the image" "What is missing is said above."
    "$python" "$here/build.py" image --out "$build/image" >"$scratch/image.json"
}

# The hash of all that the image is made of.
image_tag() {
    sed -n 's/^  "sha256": "\([0-9a-f]\{32\}\).*/\1/p' "$scratch/image.json"
}

# --- The registry ---------------------------------------------------------------------------------

create_registry() {
    begin "creating the registry" "Run ./deploy.sh again once it is mended."
    with_variables apply -auto-approve "-target=$registry_address" \
        "-var=image=stand-in@$no_digest" "-var=functions_dir=$build/functions-$1" >&2
}

# Prints the digest behind a tag; nothing if the tag isn't there, "none" if the registry isn't.
pushed_digest() {
    local digest
    if [ -z "$1" ]; then
        printf none
    elif digest=$(aws ecr describe-images --repository-name "${1#*/}" --image-ids "imageTag=$2" \
        --query 'imageDetails[0].imageDigest' --output text 2>"$scratch/said"); then
        printf '%s' "$digest"
    elif grep -q RepositoryNotFoundException "$scratch/said"; then
        printf none
    elif ! grep -q ImageNotFoundException "$scratch/said"; then
        cat "$scratch/said" >&2
        return 1
    fi
}

push_image() {
    local registry=${1%%/*}
    begin "signing in to the registry" "The message of aws or docker is above."
    signed_in=$registry
    aws ecr get-login-password | docker login --username AWS --password-stdin "$registry" >&2
    begin "pushing the image" "Run ./deploy.sh again: what was built is kept, and nothing else was changed."
    # Docker's default builder makes one platform at a time.
    docker buildx inspect "$builder" >/dev/null 2>&1 ||
        docker buildx create --name "$builder" --driver docker-container >&2
    docker buildx build --builder "$builder" --platform linux/amd64,linux/arm64 \
        --provenance=false --sbom=false --tag "$1:$2" --push "$build/image" >&2
}

# --- Terraform ------------------------------------------------------------------------------------

tf() {
    terraform "-chdir=$here/terraform" "$@"
}

with_variables() {
    local verb=$1
    shift
    tf "$verb" ${variables[@]+"${variables[@]}"} "$@"
}

# Finds the providers, and the variables as they are in the end.
start_terraform() {
    local settings=(init)
    begin "starting Terraform" "Terraform's message is above."
    if [ -f "$here/terraform/backend.hcl" ]; then settings+=(-backend-config=backend.hcl); fi
    tf "${settings[@]}" >"$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
    with_variables console "-var=image=stand-in@$no_digest" -var=functions_dir=none \
        >"$scratch/settings" <<'EXPRESSION'
"name=${var.name} architecture=${var.architecture} max_vcpus=${var.max_vcpus} spot=${var.spot}"
EXPRESSION
}

# A plan that nobody sees tells what is wrong with them before anything is built.
check_variables() {
    begin "checking the variables" "Terraform's message is above."
    make_empty_functions
    with_variables plan -refresh=false "-var=image=stand-in@$no_digest" \
        "-var=functions_dir=$scratch/functions-none" >"$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
}

# For plans without the zips: Terraform reads them even to destroy.
make_empty_functions() {
    local name
    mkdir -p "$scratch/functions-none"
    for name in starter chunker aggregator status failures sweep; do
        : >"$scratch/functions-none/$name.zip"
    done
}

setting() {
    tr -d '"' <"$scratch/settings" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

# The addresses of what exists. Without a state file there is nothing.
read_state() {
    tf state list >"$scratch/state" 2>"$scratch/said" ||
        grep -q "No state file" "$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
}

# An attribute of a resource; nothing if it doesn't exist.
in_state() {
    read_state || return 1
    if grep -qxF "$1" "$scratch/state"; then
        tf state show -no-color "$1" | sed -n "s/^    $2 *= \"\\(.*\\)\"\$/\\1/p"
    fi
}

show_plan() {
    local repository=$1 digest=$2 architecture=$3
    begin "planning" "Terraform's message is above."
    case "$digest" in
    none) say "the registry isn't there yet: it would be created first" ;;
    "") say "the image has changed: it would be built for both platforms and pushed" ;;
    *) say "the image is there already" ;;
    esac
    if [ "${digest:-none}" = none ]; then
        digest=$no_digest
        say "the plan shows $no_digest in the image's place"
    fi
    with_variables plan "-var=image=$repository@$digest" \
        "-var=functions_dir=$build/functions-$architecture"
    say "Nothing was created or pushed."
}

apply_all() {
    begin "applying" "Run ./deploy.sh again once it is mended: it goes on where it stopped."
    with_variables apply -auto-approve "-var=image=$1" \
        "-var=functions_dir=$build/functions-$2" >&2
}

show_outputs() {
    local api bucket
    begin "reading the outputs" "Terraform's message is above."
    api=$(tf output -raw api_url)
    bucket=$(tf output -raw bucket)
    cat <<OUTPUTS
starter_api_url  $(tf output -raw starter_api_url)
api_url          $api
bucket           $bucket

Try:
    aws s3 cp genome.fa s3://$bucket/input/genome.fa
    fanfold submit s3://$bucket/input/genome.fa --api $api --wait
OUTPUTS
}

# --- Taking down ----------------------------------------------------------------------------------

# chunks/ and jobs/ are fanfold's own and follow from the rest. Old versions are data too.
refuse_data() {
    local names name objects found=()
    begin "looking for data in s3://$1" "The message of aws is above."
    names=$(top_level "$1")
    while IFS= read -r name; do
        case "$name" in
        "" | chunks/ | jobs/) ;;
        *)
            objects=$(count_objects "$1" "$name")
            found+=("$objects in $name")
            ;;
        esac
    done <<<"$names"
    [ ${#found[@]} -eq 0 ] || stop \
        "There is data in s3://$1: $(joined "${found[@]}"). Nothing was changed." \
        "Copy what you need, then: ./deploy.sh destroy --delete-data"
}

# The first level of names. A bucket that is gone has none.
top_level() {
    if aws s3api list-object-versions --bucket "$1" --delimiter / --no-paginate \
        --query '[CommonPrefixes[].Prefix, Versions[].Key][]' --output text \
        >"$scratch/names" 2>"$scratch/said"; then
        lines <"$scratch/names"
    elif ! grep -q NoSuchBucket "$scratch/said"; then
        cat "$scratch/said" >&2
        return 1
    fi
}

# What the AWS CLI prints of a list, one a line.
lines() {
    tr '\t' '\n' | { grep -vx None || true; }
}

# Of the first page: a thousand.
count_objects() {
    local objects
    # shellcheck disable=SC2016 # JMESPath's literal
    objects=$(aws s3api list-object-versions --bucket "$1" --prefix "$2" --no-paginate \
        --query 'length(Versions || `[]`)' --output text) || return 1
    case "$objects" in
    1) printf '1 object' ;;
    1000) printf 'at least 1000 objects' ;;
    *) printf '%s objects' "$objects" ;;
    esac
}

joined() {
    local text=$1
    shift
    printf '%s' "$text"
    if [ $# -gt 0 ]; then printf ', %s' "$@"; fi
}

stop_jobs() {
    local job jobs round
    begin "stopping jobs" "Run ./deploy.sh destroy again."
    aws batch update-job-queue --job-queue "$1" --state DISABLED >/dev/null
    for round in {1..20}; do
        jobs=$(unfinished_jobs "$1")
        if [ -z "$jobs" ]; then return; fi
        for job in $jobs; do
            if [ "$round" -eq 1 ]; then say "stopping job $job"; fi
            aws batch terminate-job --job-id "$job" --reason "the deployment is taken down" >/dev/null
        done
        sleep 15
    done
    stop "Jobs are still running after five minutes: ${jobs//$'\n'/ }." "Run ./deploy.sh destroy again."
}

unfinished_jobs() {
    local status
    for status in SUBMITTED PENDING RUNNABLE STARTING RUNNING; do
        aws batch list-jobs --job-queue "$1" --job-status "$status" \
            --query 'jobSummaryList[].jobId' --output text | lines || return 1
    done
}

# --- Words ----------------------------------------------------------------------------------------

absolute() {
    printf '%s/%s' "$(cd "$(dirname "$1")" && pwd)" "$(basename "$1")"
}

begin() {
    step=$1
    advice=$2
    say "$1"
}

say() {
    printf '%s\n' "$1" >&2
}

# What a tool said, in a line.
said() {
    tr -s '\n' ' ' <"$scratch/said"
}

stop() {
    printf 'deploy.sh: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '    %s\n' "$2" >&2; fi
    told=yes
    exit 1
}

finish() {
    local status=$?
    if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
    if [ -n "$signed_in" ]; then docker logout "$signed_in" >/dev/null 2>&1 || true; fi
    if [ "$status" -ne 0 ] && [ -z "$told" ]; then
        printf 'deploy.sh: failed at: %s\n' "$step" >&2
        if [ -n "$advice" ]; then printf '    %s\n' "$advice" >&2; fi
    fi
    exit "$status"
}

main "$@"
