# shellcheck shell=bash
# helm renders and checks the chart.
helm_version=v3.22.0
helm() { tool helm helm.sh/helm/v3/cmd/helm "$helm_version"; }
parts+=("helm helm $helm_version")
