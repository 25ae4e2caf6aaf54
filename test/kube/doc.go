// Package kube checks deploy.sh, the manifests of deploy/kubernetes and the chart
// helm/butakero on a real control plane of Kubernetes (package plane), with the real
// operator of KEDA on a real queue and a real topic.
//
// What takes long carries the build tag deploycheck and runs by make deploy-check; the
// programs come from bash scripts/setup.sh kube. What is quick runs by make test: the
// script on stand-ins that write down what they are called with.
package kube
