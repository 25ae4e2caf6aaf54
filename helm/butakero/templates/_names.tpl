{{- define "butakero.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/name: butakero
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "butakero.selector" -}}
app.kubernetes.io/name: butakero
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "butakero.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}{{ .repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "butakero.claim" -}}
{{ .Values.storage.existingClaim | default "butakero-songs" }}
{{- end }}

{{/* What is mounted: songs, cookies, the certificate authority, room for what passes through. */}}
{{- define "butakero.tls" -}}
{{- if and (not .Values.demo.enabled) (or (and (eq .Values.engines.queue "kafka") .Values.kafka.tls .Values.kafka.caSecret) (and (eq .Values.engines.store "mongodb") .Values.mongodb.tls .Values.mongodb.caSecret)) -}}yes{{- end -}}
{{- end }}

{{- define "butakero.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "butakero.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "butakero.environment" -}}
envFrom:
  - configMapRef: {name: backend-config}
env:
{{- range list "YOUTUBE_API_KEY" "MONGO_USER" "MONGO_PASSWORD" "BUTAKERO_OPERATOR_TOKEN" "BUTAKERO_KAFKA_SASL_PASSWORD" "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
  - name: {{ . }}
    valueFrom: {secretKeyRef: {name: {{ $.Values.secret.name }}, key: {{ . }}, optional: true}}
{{- end }}
{{- end }}

{{- define "butakero.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /data}
- {name: cookies, mountPath: /run/cookies, readOnly: true}
{{- if include "butakero.tls" . }}
- {name: authority, mountPath: /run/authority, readOnly: true}
{{- end }}
{{- end }}

{{- define "butakero.volumes" -}}
- name: data
{{- if and (eq .Values.engines.files "local") (not .Values.demo.enabled) }}
  persistentVolumeClaim: {claimName: {{ include "butakero.claim" . }}}
{{- else }}
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
- name: cookies
  secret: {secretName: {{ .Values.secret.name }}, optional: true, defaultMode: 0440, items: [{key: YT_COOKIES, path: yt-cookies.txt}]}
{{- if include "butakero.tls" . }}
- name: authority
  secret: {secretName: {{ .Values.kafka.caSecret | default .Values.mongodb.caSecret }}, optional: true, defaultMode: 0440, items: [{key: {{ .Values.kafka.caKey | default .Values.mongodb.caKey }}, path: ca.crt}]}
{{- end }}
{{- end }}

{{- define "butakero.spread" -}}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {app.kubernetes.io/instance: {{ $.root.Release.Name }}, app.kubernetes.io/component: {{ $.component }}}}
{{- end }}
{{- end }}
