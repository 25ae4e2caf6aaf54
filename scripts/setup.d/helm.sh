# shellcheck shell=bash
# helm renders and checks the chart.
helm_version=v3.22.0
helm_tool() { tool helm helm.sh/helm/v3/cmd/helm "$helm_version"; }
parts+=("helm_tool helm $helm_version")
