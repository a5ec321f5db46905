#!/usr/bin/env bash
# Writes k8s/components/monitoring/prometheus-rule.yaml: deploy/prometheus/alerts.yml in Prometheus Operator's form.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

{
  cat <<'HEAD'
# Made by scripts/prometheus-rule.sh of deploy/prometheus/alerts.yml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: fanfare
  labels: {release: kube-prometheus-stack}
spec:
HEAD
  sed -n '/^groups:/,$ s/^\(.\)/  \1/p' deploy/prometheus/alerts.yml
} >k8s/components/monitoring/prometheus-rule.yaml
