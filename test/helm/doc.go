// Package helm holds the chart in helm/butakero: it renders in every mix, what it
// renders keeps the rules of the project (restricted pods, no token, graces longer than
// drains, settings that the program knows), wrong values are refused with the reason,
// and rules and dashboards ask for metrics that the program has. Whether a real API
// server accepts it is for package kube (make deploy-check).
package helm
