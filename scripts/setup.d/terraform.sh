# shellcheck shell=bash disable=SC2154 # cache is setup.sh's
# terraform: what the checks of the deployment on AWS run: terraform itself, the npm
# package that the schema of the AWS provider is read from (the provider is not needed),
# and, when it is asked for by name (setup.sh terraform), checkov.

terraform_version=v1.8.5
aws_schema_version=21.22.1 # of @cdktf/provider-aws, as test/terraform/awsschema says
checkov_version=3.3.30
terraform_asked=${1:-all}

terraform() {
  mkdir -p "$cache/terraform" || return 1
  terraform_program && locked terraform_schema || return 1
  [ "$terraform_asked" = all ] || locked terraform_checkov
}

# Building it takes some minutes, gently.
terraform_program() {
  [ -x "$cache/bin/terraform" ] && [ -e "$cache/bin/.terraform-$terraform_version" ] && return
  (
    renice -n 15 "$BASHPID" >/dev/null 2>&1
    tool terraform github.com/hashicorp/terraform "$terraform_version"
  )
}

terraform_schema() {
  local to="$cache/terraform/provider-aws-$aws_schema_version.tgz" stage
  [ -e "$to" ] && return
  command -v npm >/dev/null || debian nodejs npm || return 1
  say "fetching the schema of the AWS provider (37 MB)"
  stage=$(mktemp -d "$cache/terraform/stage-XXXXXX") || return 1
  if (cd "$stage" && npm pack --silent "@cdktf/provider-aws@$aws_schema_version") >"$cache/terraform/npm.log" 2>&1 </dev/null; then
    mv -f "$stage"/*.tgz "$to"
  else
    tail -n 5 "$cache/terraform/npm.log"
    say "the schema of the AWS provider could not be fetched; it needs the npm registry once"
  fi
  rm -rf "$stage"
  [ -e "$to" ]
}

terraform_checkov() {
  local venv="$cache/checkov" log="$cache/checkov.log"
  [ -e "$venv/.done-$checkov_version" ] && "$venv/bin/python" -c 'import checkov' 2>/dev/null && return
  say "installing checkov $checkov_version (290 MB, once)"
  command -v python3 >/dev/null || debian python3 || return 1
  rm -rf "$venv"
  : >"$log"
  python3 -m venv "$venv" >>"$log" 2>&1 || { rm -rf "$venv"; debian python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } || {
    tail -n 5 "$log"
    return 1
  }
  "$venv/bin/pip" install -q --disable-pip-version-check "checkov==$checkov_version" >>"$log" 2>&1 </dev/null || {
    tail -n 5 "$log"
    say "checkov could not be installed; it needs PyPI once"
    return 1
  }
  touch "$venv/.done-$checkov_version"
}

# shellcheck disable=SC2034 # read by setup.sh
parts+=("terraform terraform $terraform_version and the schema of its AWS provider")
