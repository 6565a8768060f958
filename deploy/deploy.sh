#!/usr/bin/env bash
# Puts fanfold on AWS, and takes it down again: ./deploy.sh --help
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly here
readonly build="$here/.build"
readonly registry_address=module.storage.aws_ecr_repository.this
readonly bucket_address=module.storage.aws_s3_bucket.this
readonly queue_address=module.batch.aws_batch_job_queue.this
readonly api_address=module.api.aws_api_gateway_rest_api.this
readonly no_image=stand-in@sha256:0000000000000000000000000000000000000000000000000000000000000000
readonly builder=fanfold
readonly usual_max_vcpus=64 # the default of max_vcpus
readonly fold_vcpus=4       # what the largest container takes

step="reading the arguments" # what is under way, and what to do when it fails
advice="Run ./deploy.sh --help."
told=""         # an error was told already
incomplete=""   # something is missing
scratch=""      # a folder for what tools say
signed_in=""    # the registry that Docker was signed in to
python=""       # has maturin and ziglang
yes=""          # apply without a question
api_log_role="" # give API Gateway a role for its logs
account=""      # a deployment is named by account, AWS_REGION and name
name=""
folder=""        # the deployment's
found=""         # variables that the account decides, as JSON
agreed=agreed    # the plan to apply
missing_roles=() # service-linked roles to create, by service
variables=()     # -var and -var-file, as given

main() {
    trap finish EXIT
    local task=deploy delete_data=""
    while [ $# -gt 0 ]; do
        case "$1" in
        --plan) task=plan ;;
        destroy) task=destroy ;;
        --delete-data) delete_data=yes ;;
        --yes) yes=yes ;;
        --api-log-role) api_log_role=yes ;;
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
    [ -z "$api_log_role" ] || [ "$task" != destroy ] || stop "--api-log-role doesn't belong to destroy."
    [ -n "$yes" ] || [ "$task" = plan ] || [ -t 0 ] || stop \
        "There is no terminal to ask on before anything is changed." \
        "--yes goes on without a question; --plan only shows what would be done."
    [ "${TF_WORKSPACE:-default}" = default ] || stop \
        "TF_WORKSPACE is $TF_WORKSPACE, but a deployment has one state, in its own folder." \
        "unset TF_WORKSPACE; another deployment has another name (FANFOLD_NAME)."
    unset TF_WORKSPACE TF_DATA_DIR # a folder of data for two deployments would mix their backends
    scratch=$(mktemp -d)
    export TF_IN_AUTOMATION=1 TF_INPUT=0 AWS_PAGER=""
    if [ ! -t 2 ]; then export TF_CLI_ARGS="-no-color ${TF_CLI_ARGS-}"; fi
    if [ -n "${FANFOLD_NAME-}" ]; then variables+=("-var=name=$FANFOLD_NAME"); fi
    if [ "$task" = destroy ]; then destroy "$delete_data"; else deploy "$task"; fi
}

usage() {
    cat <<'USAGE'
./deploy.sh                          checks, builds, shows plan and price, asks; pushes, applies
./deploy.sh --plan                   shows what would be done; creates and pushes nothing
./deploy.sh destroy                  asks, then takes everything down; refuses while there is data
./deploy.sh destroy --delete-data    takes everything down, the data too

    --yes             does not ask; needed where there is no terminal
    --api-log-role    gives the account's API Gateway a role for its logs, if it has none.
                      It serves every API of the account and region, and is never removed

A deployment is a folder, deploy/deployments/<account>-<region>-<name>: its settings, state and lock
file. Terraform's variables (deploy/terraform/variables.tf, region and tags) are set in its
terraform.tfvars, or by -var=NAME=VALUE, -var-file=FILE or TF_VAR_NAME, which are kept for next time.
For a state elsewhere write a backend into its backend.tf, the backend's settings into backend.hcl.

Environment:
  FANFOLD_NAME    what every resource is called, or begins with (fanfold)
  FANFOLD_PYTHON  a Python that has maturin and ziglang (one made in deploy/.venv)
  AWS_REGION      where; and all that the AWS CLI reads: AWS_PROFILE, ...
USAGE
}

# --- The two tasks --------------------------------------------------------------------------------

deploy() {
    local task=$1 architecture functions tag repository digest
    check_prerequisites deploy
    name_folder
    open_folder
    check_variables
    check_account
    architecture=$(setting architecture)
    prepare_python
    build_functions "$architecture"
    build_image
    functions="../../.build/functions-$architecture"
    tag=$(image_tag)

    begin "looking for the image" "The message of aws is above."
    repository=$(in_state "$registry_address" repository_url)
    digest=$(pushed_digest "$repository" "$tag")
    say_image "$digest"
    case "$digest" in
    "" | none) write_built "$no_image" "$functions" ;;
    *) write_built "$repository@$digest" "$functions" ;;
    esac
    make_plan agreed
    if [ "$task" = plan ]; then
        tf show "$scratch/agreed.tfplan"
        folders summary "$scratch/agreed.json" >&2
        say "Nothing was created or pushed."
        return
    fi
    if [ "${#missing_roles[@]}" -eq 0 ] && [ -z "$api_log_role" ] &&
        [ "$(folders applyable "$scratch/agreed.json")" = false ]; then
        say "Nothing changes."
        keep_settings
        show_outputs
        return
    fi
    folders summary "$scratch/agreed.json" >&2
    say_open_jobs
    ask "Apply?"

    keep_settings
    create_roles
    if [ "$digest" = none ]; then
        create_registry
        repository=$(in_state "$registry_address" repository_url)
        digest=""
    fi
    if [ -z "$digest" ]; then
        push_image "$repository" "$tag"
        digest=$(pushed_digest "$repository" "$tag")
        [ -n "$digest" ] || stop "The registry doesn't have the image that was pushed: $repository:$tag" \
            "Run ./deploy.sh again."
        write_built "$repository@$digest" "$functions"
        keep_settings
        plan_again Apply
    fi
    begin "applying" "Run ./deploy.sh again once it is mended: it goes on where it stopped."
    tf apply "$scratch/$agreed.tfplan" >&2
    show_outputs
}

destroy() {
    local delete_data=$1 bucket queue api
    check_prerequisites destroy
    name_folder
    if [ -d "$folder" ]; then open_folder; fi
    if ! grep -qs '"mode": "managed"' "$scratch/state.json"; then
        say "Nothing is deployed as $account-$AWS_REGION-$name."
        return
    fi
    bucket=$(in_state "$bucket_address" bucket)
    if [ -n "$bucket" ] && [ -z "$delete_data" ]; then refuse_data "$bucket"; fi
    queue=$(in_state "$queue_address" arn)
    api=$(in_state "$api_address" id)
    make_empty_functions
    found=', "delete_data": true'
    write_built "$no_image" "$scratch/functions-none"
    make_plan agreed -destroy
    folders summary "$scratch/agreed.json" >&2
    ask "Remove all this?"

    if [ -n "$queue" ]; then stop_jobs "$queue"; fi
    move_state
    if [ -n "$bucket" ]; then
        begin "letting the bucket go" "Run ./deploy.sh destroy again once it is mended."
        with_variables apply -auto-approve "-target=module.fanfold.$bucket_address" >&2
        plan_again Remove -destroy
    fi
    begin "taking everything down" "Run ./deploy.sh destroy again once it is mended: it goes on."
    tf apply "$scratch/$agreed.tfplan" >&2
    remove_late_logs "$api"
    say "Nothing is left on AWS. The settings are kept in $folder."
}

# --- What must be there ---------------------------------------------------------------------------

check_prerequisites() {
    begin "checking what is needed" ""
    if need terraform "https://developer.hashicorp.com/terraform/install"; then
        at_least 1 11 "$(terraform version | sed -n '1s/^Terraform v//p')" ||
            missing "Terraform 1.11 or newer" "https://developer.hashicorp.com/terraform/install"
    fi
    if [ "$1" = deploy ]; then
        check_builders
    else
        need "${FANFOLD_PYTHON:-python3}" "Python 3.11 or newer: https://www.python.org/downloads" || true
    fi
    check_credentials
    [ -z "$incomplete" ] || stop "What is missing is listed above; nothing was done."
}

check_builders() {
    "$here/../scripts/check-prerequisites" "${FANFOLD_PYTHON:-python3}" || incomplete=yes
    need docker "https://docs.docker.com/engine/install" || return 0
    # podman answers to the name of docker, but builds one platform at a time.
    grep -q github.com/docker/buildx <<<"$(docker buildx version 2>/dev/null)" ||
        missing "docker buildx" "https://github.com/docker/buildx#installing; the package is docker-buildx in Debian and Ubuntu, docker-buildx-plugin in Docker's own repository"
    docker info >/dev/null 2>&1 ||
        missing "a running Docker engine" "start Docker; does \"docker info\" work without sudo?"
}

check_credentials() {
    need aws "the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" ||
        return 0
    AWS_REGION=$(find_region)
    AWS_DEFAULT_REGION=$AWS_REGION # version 1 of the AWS CLI reads only this one
    export AWS_REGION AWS_DEFAULT_REGION
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

find_region() {
    local region
    region=$(given region "${TF_VAR_region-}")
    region=${region:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
    printf '%s' "${region:-$(aws configure get region 2>/dev/null || true)}"
}

# What -var and -var-file say of a variable of text, the last of them; else $2.
given() {
    local argument value="" in_file
    for argument in ${variables[@]+"${variables[@]}"}; do
        case "$argument" in
        "-var=$1="*) value=${argument#-var="$1"=} ;;
        -var-file=*)
            in_file=$(folders text "${argument#*=}" "$1")
            value=${in_file:-$value}
            ;;
        esac
    done
    printf '%s' "${value:-$2}"
}

# --- The deployment's folder ----------------------------------------------------------------------

folders() {
    "${FANFOLD_PYTHON:-python3}" "$here/deployments.py" "$@"
}

# For verbs that refuse: they say themselves why.
demand() {
    folders "$@" || { told=yes && exit 1; }
}

# Names the deployment; refuses a folder of that name whose files are of another one.
name_folder() {
    account=$(aws sts get-caller-identity --query Account --output text)
    name=$(given name "${TF_VAR_name:-fanfold}")
    [[ $name =~ ^[a-z][a-z0-9-]{0,22}[a-z0-9]$ ]] || stop \
        "The name \"$name\" can't be used: 2 to 24 lower-case letters, digits and hyphens, a letter first, no hyphen last."
    folder="$here/deployments/$account-$AWS_REGION-$name"
    demand earlier "$here/deployments"
    check_folder /dev/null
}

check_folder() {
    demand check "$folder" "$1" "$account" "$AWS_REGION" "$name"
}

open_folder() {
    local other
    begin "opening $folder" "Its files must be writable."
    if [ ! -d "$folder" ]; then
        for other in "$here"/deployments/*/; do
            if [ -d "$other" ]; then say "this is another deployment than $(basename "$other")"; fi
        done
    fi
    demand write "$folder"
    start_terraform
    read_state
    check_folder "$scratch/state.json"
    read_settings
}

# Finds the providers. The lock file is for every platform that a deployment is worked on from.
start_terraform() {
    local settings=(init)
    begin "starting Terraform" "Terraform's message is above."
    if [ ! -f "$folder/.terraform.lock.hcl" ]; then
        { tf get && tf providers lock -platform=linux_amd64 -platform=linux_arm64 \
            -platform=darwin_amd64 -platform=darwin_arm64; } >"$scratch/said" 2>&1 ||
            say "warning: the lock file can't be made for every platform, so it is made for this one: $(said)"
    fi
    if [ -f "$folder/backend.hcl" ]; then settings+=(-backend-config=backend.hcl); fi
    tf "${settings[@]}" >"$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
}

# The variables as they are in the end. What was given is kept once it is applied.
read_settings() {
    local variable value
    begin "reading the settings" "Terraform's message is above."
    folders own "$folder" >"$scratch/own"
    # Terraform ranks the environment below every file; kept settings must give way to it.
    while IFS= read -r variable; do
        value="TF_VAR_$variable"
        if [ -n "${!value+set}" ] && ! grep -qx "$variable" "$scratch/own"; then
            variables=("-var=$variable=${!value}" ${variables[@]+"${variables[@]}"})
        fi
    done < <(sed -n 's/^variable "\(.*\)" {$/\1/p' "$folder/variables.tf" "$folder/main.tf")
    folders expression >"$scratch/expression"
    tf console ${variables[@]+"${variables[@]}"} "-var=account=$account" "-var=region=$AWS_REGION" \
        "-var=name=$name" "-var=image=$no_image" -var=functions_dir=none \
        <"$scratch/expression" >"$scratch/settings"
    demand keep "$folder" "$scratch/settings" "$scratch/kept.tfvars.json" \
        ${variables[@]+"${variables[@]}"} >"$scratch/set"
}

setting() {
    folders value "$scratch/settings" "$1"
}

# Whether the user set a variable, now or earlier.
is_set() {
    grep -qx "$1" "$scratch/set"
}

write_built() {
    cat >"$scratch/built.tfvars.json" <<BUILT
{
  "account": "$account", "region": "$AWS_REGION", "name": "$name",
  "image": "$1",
  "functions_dir": "$2"$found
}
BUILT
}

# So that terraform, typed in the folder, needs to be told nothing.
keep_settings() {
    cp "$scratch/kept.tfvars.json" "$folder/kept.auto.tfvars.json"
    if ! grep -q "\"$no_image\"" "$scratch/built.tfvars.json" || [ ! -f "$folder/built.auto.tfvars.json" ]; then
        cp "$scratch/built.tfvars.json" "$folder/built.auto.tfvars.json"
    fi
}

# --- What the account allows ----------------------------------------------------------------------

check_account() {
    begin "looking at the account: quotas, roles, logs" ""
    check_quota
    check_concurrency
    check_api_logs
    find_missing_roles
}

# A new account may run 6 vCPUs. Both environments exist, but Spot is used only if it is asked for.
check_quota() {
    local wanted=$usual_max_vcpus kind code kinds=("On-Demand L-3032A538") quota
    if [ "$(setting spot)" = true ]; then kinds+=("Spot L-36FBB829"); fi
    if is_set max_vcpus; then wanted=$(setting max_vcpus); fi
    for kind in "${kinds[@]}"; do
        code=${kind#* }
        kind=${kind% *}
        if ! quota=$(fargate_quota "$code"); then
            say "warning: the Fargate $kind quota can't be read, so max_vcpus = $wanted isn't held against it: $(said)"
            continue
        fi
        quota=${quota%%.*}
        [[ $quota =~ ^[0-9]+$ ]] || stop "AWS answers \"$quota\" for the Fargate $kind quota (quota $code)." \
            "Set max_vcpus, or look into the console of Service Quotas."
        if [ "$quota" -lt "$fold_vcpus" ]; then
            stop "This account may run $quota vCPUs of Fargate $kind in $AWS_REGION (quota $code); one container needs $fold_vcpus." \
                "Ask for more in the console of Service Quotas."
        fi
        if [ "$wanted" -le "$quota" ]; then continue; fi
        if is_set max_vcpus; then
            stop "max_vcpus is $wanted, but this account may run $quota vCPUs of Fargate $kind in $AWS_REGION (quota $code)." \
                "Ask for more in the console of Service Quotas, or set max_vcpus to $quota at most."
        fi
        say "max_vcpus is $quota instead of $wanted: this account may run no more of Fargate $kind (quota $code)"
        wanted=$quota
    done
    if ! is_set max_vcpus; then found+=", \"max_vcpus\": $wanted"; fi
}

# The account's, or the default where AWS has none of the account's own.
fargate_quota() {
    local asked=(--service-code fargate --quota-code "$1" --query Quota.Value --output text)
    aws service-quotas get-service-quota "${asked[@]}" 2>"$scratch/said" || {
        grep -q NoSuchResource "$scratch/said" &&
            aws service-quotas get-aws-default-service-quota "${asked[@]}" 2>"$scratch/said"
    }
}

check_concurrency() {
    local concurrency
    if is_set account_concurrency; then return; fi
    if concurrency=$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions \
        --output text 2>"$scratch/said"); then
        found+=", \"account_concurrency\": $concurrency"
    else
        say "warning: the account's Lambda concurrency can't be read, so that of a new account holds, 10: $(said)"
    fi
}

check_api_logs() {
    local role logs=true
    if is_set api_logs && [ -z "$api_log_role" ]; then return; fi
    if ! role=$(aws apigateway get-account --query cloudwatchRoleArn --output text 2>"$scratch/said"); then
        [ -z "$api_log_role" ] || stop "Whether API Gateway has a role for logs can't be seen: $(said)"
        say "warning: the API's access logs are off, since API Gateway's role for logs can't be seen: $(said)"
        logs=false
    elif [ -n "$api_log_role" ]; then
        [ "$role" = None ] || stop "The account's API Gateway has a role for its logs already: $role." \
            "Leave out --api-log-role: it is used as it is."
    elif [ "$role" = None ]; then
        say "the API's access logs are off: the account's API Gateway has no role for logs (--api-log-role gives it one)"
        logs=false
    fi
    if ! is_set api_logs; then found+=", \"api_logs\": $logs"; fi
}

# AWS makes these roles at a service's first use only if the caller may.
find_missing_roles() {
    local role
    for role in batch.amazonaws.com:Batch ecs.amazonaws.com:ECS ops.apigateway.amazonaws.com:APIGateway; do
        if aws iam get-role --role-name "AWSServiceRoleFor${role#*:}" >/dev/null 2>"$scratch/said"; then
            continue
        elif grep -q NoSuchEntity "$scratch/said"; then
            missing_roles+=("${role%:*}")
        else
            say "warning: whether AWSServiceRoleFor${role#*:} exists can't be seen: $(said)"
        fi
    done
    if [ "${#missing_roles[@]}" -gt 0 ]; then
        say "service-linked roles to be created: $(joined "${missing_roles[@]}")"
    fi
}

create_roles() {
    local service
    begin "creating roles" "The message of aws is above."
    for service in ${missing_roles[@]+"${missing_roles[@]}"}; do
        aws iam create-service-linked-role --aws-service-name "$service" >/dev/null 2>"$scratch/said" ||
            say "warning: the service-linked role of $service can't be created, so applying may fail: $(said)"
    done
    if [ -n "$api_log_role" ]; then create_api_log_role; fi
}

# Not Terraform's: it is one setting for all APIs of the account and region.
create_api_log_role() {
    local arn round
    begin "giving API Gateway a role for its logs" "The message of aws is above."
    aws iam create-role --role-name "$name-api-logs" --assume-role-policy-document \
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "apigateway.amazonaws.com"}}]}' \
        >/dev/null 2>"$scratch/said" ||
        grep -q EntityAlreadyExists "$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
    arn=$(aws iam get-role --role-name "$name-api-logs" --query Role.Arn --output text)
    aws iam attach-role-policy --role-name "$name-api-logs" --policy-arn \
        "arn:$(cut -d: -f2 <<<"$arn"):iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    for round in {1..12}; do # IAM takes some seconds to know a role everywhere
        if aws apigateway update-account --patch-operations \
            "op=replace,path=/cloudwatchRoleArn,value=$arn" >/dev/null 2>"$scratch/said"; then return; fi
        sleep 5
    done
    cat "$scratch/said" >&2
    return 1
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
    move_state
    begin "creating the registry" "Run ./deploy.sh again once it is mended."
    with_variables apply -auto-approve "-target=module.fanfold.$registry_address" >&2
    read_state
}

say_image() {
    case "$1" in
    none) say "the registry isn't there yet: it is created first" ;;
    "") say "the image has changed: it is built for both platforms and pushed" ;;
    *) say "the image is there already" && return ;;
    esac
    say "the plan shows $no_image in the image's place"
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
    terraform "-chdir=$folder" "$@"
}

with_variables() {
    local verb=$1
    shift
    tf "$verb" "-var-file=$scratch/kept.tfvars.json" "-var-file=$scratch/built.tfvars.json" "$@"
}

# A plan that nobody sees tells what is wrong with the variables before anything is built.
check_variables() {
    begin "checking the variables" "Terraform's message is above."
    make_empty_functions
    write_built "$no_image" "$scratch/functions-none"
    with_variables plan -refresh=false >"$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
}

# For plans without the zips: Terraform reads them even to destroy.
make_empty_functions() {
    local function
    mkdir -p "$scratch/functions-none"
    for function in starter chunker aggregator status failures sweep; do
        : >"$scratch/functions-none/$function.zip"
    done
}

make_plan() {
    local plan=$1
    shift
    begin "planning" "Terraform's message is above."
    with_variables plan "-out=$scratch/$plan.tfplan" "$@" >"$scratch/said" || { cat "$scratch/said" >&2 && return 1; }
    tf show -json "$scratch/$plan.tfplan" >"$scratch/$plan.json"
}

# The plan that was agreed to, once more since the state has changed; asks again if it does more.
plan_again() {
    local verb=$1
    shift
    make_plan next "$@"
    if ! folders within "$scratch/next.json" "$scratch/agreed.json"; then
        say "The plan has changed meanwhile."
        folders summary "$scratch/next.json" >&2
        ask "$verb this?"
    fi
    agreed=next
}

ask() {
    local answer=""
    if [ -n "$yes" ]; then return; fi
    printf '%s [y/N] ' "$1" >&2
    read -r answer || true
    case "$answer" in
    y | Y | yes) ;;
    *) stop "Not applied." ;;
    esac
}

# An earlier version's state has other addresses. Terraform moves them by itself, but not with -target.
move_state() {
    local module queue to=module.fanfold.module
    for module in storage network batch functions api events observability; do
        if grep -q "\"module\": \"module\\.$module\"" "$scratch/state.json"; then
            begin "moving $module of an earlier version's state" "Terraform's message is above."
            tf state mv "module.$module" "$to.$module" >&2
        fi
    done
    for queue in aws_sqs_queue.{failures,dead_letters} aws_sqs_queue_redrive_allow_policy.dead_letters; do
        if [ -n "$(in_state "module.events.$queue" id)" ]; then
            tf state mv "$to.events.$queue" "$to.queues.$queue" >&2
        fi
    done
}

# Empty where nothing is deployed.
read_state() {
    begin "reading Terraform's state" "Terraform's message is above."
    tf state pull >"$scratch/state.json"
}

# An attribute of a resource; nothing if it doesn't exist.
in_state() {
    folders attribute "$scratch/state.json" "$1" "$2"
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

say_open_jobs() {
    local bucket jobs
    bucket=$(in_state "$bucket_address" bucket)
    if [ -z "$bucket" ]; then return; fi
    # shellcheck disable=SC2016 # JMESPath's literal
    if ! jobs=$(aws s3api list-objects-v2 --bucket "$bucket" --prefix jobs/open/ --no-paginate \
        --query 'length(Contents || `[]`)' --output text 2>"$scratch/said"); then
        say "warning: open jobs can't be counted: $(said)"
        return
    fi
    if [ "$jobs" != 0 ] && folders ends-jobs "$scratch/agreed.json"; then
        stop "$jobs jobs are open, and the plan removes the queue or the environment that they run in." \
            "Run it again when they have ended: fanfold jobs."
    fi
    case "$jobs" in
    0) ;;
    1000) say "1000 jobs or more are open: they end with the image that they began with" ;;
    *) say "jobs that are open: $jobs; they end with the image that they began with" ;;
    esac
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

# Logs that came in after their group was removed made it again, without an end.
remove_late_logs() {
    local group groups=("/aws/batch/$name" "/aws/apigateway/$name") function
    begin "removing log groups that late requests made again" "The message of aws is above."
    for function in starter chunker aggregator status failures sweep; do
        groups+=("/aws/lambda/$name-$function")
    done
    if [ -n "$1" ]; then groups+=("API-Gateway-Execution-Logs_$1/prod"); fi
    for group in "${groups[@]}"; do
        if aws logs delete-log-group --log-group-name "$group" 2>"$scratch/said"; then
            say "removed $group"
        elif ! grep -q ResourceNotFoundException "$scratch/said"; then
            cat "$scratch/said" >&2
            return 1
        fi
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
