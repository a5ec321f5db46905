{{- define "fanfare.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "fanfare.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "fanfare.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fanfare.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "fanfare.selector" -}}
app.kubernetes.io/name: {{ include "fanfare.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: fanout
{{- end -}}

{{- define "fanfare.labels" -}}
{{ include "fanfare.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "fanfare.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fanfare.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "fanfare.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* Whether there are own schemas. */}}
{{- define "fanfare.hasSchemas" -}}
{{- if or .Values.schemas.files .Values.schemas.existingConfigMaps }}yes{{ end -}}
{{- end -}}

{{/* What volume and ConfigMap of a service's schemas are called. */}}
{{- define "fanfare.schemasName" -}}
schemas-{{ . | lower | replace "_" "-" }}
{{- end -}}

{{- define "fanfare.routes" -}}
{{- default (printf "%s-routes" (include "fanfare.fullname" .)) .Values.routes.existingConfigMap -}}
{{- end -}}

{{/* The Secret that says whom nodes trust among each other; nothing without TLS. */}}
{{- define "fanfare.peersSecret" -}}
{{- if or .Values.tls.hubs.secretName .Values.tls.operator.secretName -}}
{{- default (default .Values.tls.hubs.secretName .Values.tls.operator.secretName) .Values.tls.peers.secretName -}}
{{- end -}}
{{- end -}}

{{/* Names of which the certificates of the nodes have one, as JSON. */}}
{{- define "fanfare.peersNames" -}}
{{- default (list (printf "%s.%s.svc" (include "fanfare.fullname" .) .Release.Namespace)) .Values.tls.peers.serverNames | toJson -}}
{{- end -}}

{{/* How the operator's port is asked. */}}
{{- define "fanfare.operatorProbe" -}}
port: operator{{ if .Values.tls.operator.secretName }}, scheme: HTTPS{{ end }}
{{- end -}}

{{/* A key as TOML. */}}
{{- define "fanfare.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toRawJson . }}{{ end -}}
{{- end -}}

{{/* A value as TOML. YAML has numbers as floats, where TOML tells whole ones apart. */}}
{{- define "fanfare.toml.value" -}}
{{- if kindIs "string" . -}}
{{ toRawJson . }}
{{- else if kindIs "bool" . -}}
{{ . }}
{{- else if kindIs "slice" . -}}
[{{ range $at, $item := . }}{{ if $at }}, {{ end }}{{ include "fanfare.toml.value" $item }}{{ end }}]
{{- else if kindIs "map" . -}}
{ {{- $first := true -}}
{{- range $key, $item := . }}{{ if not $first }},{{ end }} {{ include "fanfare.toml.key" $key }} = {{ include "fanfare.toml.value" $item }}{{ $first = false }}{{ end }} }
{{- else if eq (float64 .) (float64 (int64 .)) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* A table as TOML: first its own keys, then the tables in it. Takes `at`, the table's name, and `of`, the table. */}}
{{- define "fanfare.toml.table" -}}
{{- $at := .at -}}
{{- range $key, $value := .of }}
{{- $several := and (kindIs "slice" $value) (gt (len $value) 0) (kindIs "map" (first $value)) }}
{{- if not (or (kindIs "map" $value) $several (kindIs "invalid" $value)) }}
{{ include "fanfare.toml.key" $key }} = {{ include "fanfare.toml.value" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .of }}
{{- $name := include "fanfare.toml.key" $key }}
{{- if $at }}{{ $name = printf "%s.%s" $at $name }}{{ end }}
{{- $several := and (kindIs "slice" $value) (gt (len $value) 0) (kindIs "map" (first $value)) }}
{{- if kindIs "map" $value }}

[{{ $name }}]
{{- include "fanfare.toml.table" (dict "at" $name "of" $value) }}
{{- else if $several }}
{{- range $item := $value }}

[[{{ $name }}]]
{{- include "fanfare.toml.table" (dict "at" $name "of" $item) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* fanfare.toml: what the chart says, and over it what is said in `config`. */}}
{{- define "fanfare.config" -}}
{{- if .Values.configToml -}}
{{ .Values.configToml }}
{{- else -}}
{{- $node := dict "listen" "0.0.0.0:8080" "admin_listen" "0.0.0.0:9090" "data" "/var/lib/fanfare" "secret_file" "secrets/node.secret" "max_connections" .Values.node.maxConnections "drain_seconds" .Values.node.drainSeconds -}}
{{- if .Values.secrets.node.previousKey }}{{ $_ := set $node "previous_secret_file" "secrets/previous.secret" }}{{ end -}}
{{- if .Values.tls.hubs.secretName }}{{ $_ := set $node "tls" (dict "cert_file" "tls/hubs/tls.crt" "key_file" "tls/hubs/tls.key") }}{{ end -}}
{{- if .Values.tls.operator.secretName -}}
{{- $operator := dict "cert_file" "tls/operator/tls.crt" "key_file" "tls/operator/tls.key" -}}
{{- if .Values.tls.operator.clientCA.secretName }}{{ $_ := set $operator "client_ca_file" "tls/clients/ca.crt" }}{{ end -}}
{{- $_ := set $node "operator_tls" $operator -}}
{{- end -}}
{{- if include "fanfare.peersSecret" . -}}
{{- $peers := dict "ca_file" "tls/peers/ca.crt" "server_names" (include "fanfare.peersNames" . | fromJsonArray) -}}
{{- if .Values.tls.operator.clientCA.secretName }}{{ $_ := set $peers "cert_file" "tls/operator/tls.crt" }}{{ $_ := set $peers "key_file" "tls/operator/tls.key" }}{{ end -}}
{{- $_ := set $node "peers" $peers -}}
{{- end -}}
{{- $ours := dict "node" $node "routes" (dict "path" "/etc/fanfare-routes") "log" (dict "format" .Values.node.logFormat) -}}
{{- $schemas := dict "demo" .Values.demo.schemas -}}
{{- if include "fanfare.hasSchemas" . }}{{ $_ := set $schemas "path" "/etc/fanfare-schemas" }}{{ end -}}
{{- $_ := set $ours "schemas" $schemas -}}
{{- if not (dig "page" "path" "" .Values.config) }}{{ $_ := set $ours "page" (dict "demo" .Values.demo.page) }}{{ end -}}
{{- include "fanfare.toml.table" (dict "at" "" "of" (mergeOverwrite $ours (deepCopy .Values.config))) | trim }}
{{- end -}}
{{- end -}}

{{/* What is said twice or not at all: faults that a schema does not see. */}}
{{- define "fanfare.checked" -}}
{{- if and (not .Values.configToml) (not (dig "broker" "url" "" .Values.config)) }}
{{- fail "config.broker.url is missing: nats://HOST:PORT, kafka://HOST:PORT, or embedded:/var/lib/fanfare/log with embedded.enabled" }}
{{- end }}
{{- if and (not .Values.configToml) (not .Values.config.hub) }}
{{- fail "config.hub names no hub: {/hubs/notifications: {}} is the least" }}
{{- end }}
{{- if and (not .Values.routes.files) (not .Values.routes.existingConfigMap) }}
{{- fail "routes are missing: routes.files, or routes.existingConfigMap with the name of a ConfigMap that holds them" }}
{{- end }}
{{- $embedded := or (hasPrefix "embedded:" (dig "broker" "url" "" .Values.config)) (contains "\"embedded:" .Values.configToml) }}
{{- if ne $embedded .Values.embedded.enabled }}
{{- fail (ternary "config.broker.url is the embedded log, so embedded.enabled must be true: it is one node with a volume" "embedded.enabled is true, and config.broker.url is another broker" $embedded) }}
{{- end }}
{{- if and .Values.keda.enabled .Values.autoscaling.enabled (not .Values.embedded.enabled) }}
{{- fail "keda.enabled and autoscaling.enabled: two scalers would fight over the number of nodes; turn one of them off" }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled .Values.certificate.enabled) (not .Values.public.host) }}
{{- fail "public.host is missing: the name under which browsers reach the hubs" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is missing: the gateway that the route belongs to" }}
{{- end }}
{{- if and .Values.certificate.enabled (not .Values.public.tlsSecret) }}
{{- fail "public.tlsSecret is missing: the Secret that cert-manager writes the certificate to" }}
{{- end }}
{{- if and .Values.externalSecret.enabled (not .Values.externalSecret.data) }}
{{- fail "externalSecret.data is missing: {node.secret: {key: fanfare/node}} says where the store has it" }}
{{- end }}
{{- if and .Values.tls.operator.clientCA.secretName (not .Values.tls.operator.secretName) }}
{{- fail "tls.operator.secretName is missing: clients can show certificates only where the port speaks TLS" }}
{{- end }}
{{- range .Values.public.paths }}
{{- if or (eq . "/") (hasPrefix "/events" .) }}
{{- fail (printf "public.paths: %s would put POST /events on the public host; producers use the Service inside of the cluster" .) }}
{{- end }}
{{- end }}
{{- end -}}
