{{/* What all objects of the release are called after. */}}
{{- define "climatejobs.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "climatejobs.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: climatejobs
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels by which pods are found; they never change. Takes (list CONTEXT PART). */}}
{{- define "climatejobs.selectorLabels" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ default $context.Chart.Name $context.Values.nameOverride }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of a part's objects. Takes (list CONTEXT PART). */}}
{{- define "climatejobs.partLabels" -}}
{{ include "climatejobs.labels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The full name of a part's image. Takes (list CONTEXT PART). */}}
{{- define "climatejobs.image" -}}
{{- $context := index . 0 -}}
{{- $image := (index $context.Values (index . 1)).image -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $context.Chart.AppVersion }}{{ end -}}
{{- end }}

{{/* The name of a part's service account. Takes (list CONTEXT PART). */}}
{{- define "climatejobs.serviceAccountName" -}}
{{- $context := index . 0 -}}
{{- $account := (index $context.Values (index . 1)).serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (printf "%s-%s" (include "climatejobs.fullname" $context) (index . 1)) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end }}

{{/* The API's service account, which the admission policy lets submit for others. */}}
{{- define "climatejobs.api.serviceAccountName" -}}
{{- include "climatejobs.serviceAccountName" (list . "api") -}}
{{- end }}

{{/* The claim that holds the data. */}}
{{- define "climatejobs.dataClaim" -}}
{{- .Values.data.existingClaim | default (printf "%s-data" (include "climatejobs.fullname" .)) -}}
{{- end }}

{{/* The address of the data root in an object store; empty where the data lie on a volume. */}}
{{- define "climatejobs.dataBucket" -}}
{{- with .Values.data.s3 }}{{ if .bucket }}s3://{{ .bucket }}{{ with trimAll "/" .prefix }}/{{ . }}{{ end }}{{ end }}{{ end -}}
{{- end }}

{{/* What cluster-wide objects of the release are called after. */}}
{{- define "climatejobs.clusterName" -}}
{{- printf "%s-%s" (include "climatejobs.fullname" .) .Release.Namespace -}}
{{- end }}

{{/* A pod's security context as Pod Security "restricted" wants it, with the data volume's group. */}}
{{- define "climatejobs.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.user }}
runAsGroup: {{ .Values.podSecurity.group }}
fsGroup: {{ .Values.podSecurity.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* A container's security context as Pod Security "restricted" wants it. */}}
{{- define "climatejobs.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The members of a pod's spec that say where it runs and how its image is pulled. Takes (list CONTEXT PART). */}}
{{- define "climatejobs.placement" -}}
{{- $context := index . 0 -}}
{{- $part := index $context.Values (index . 1) -}}
{{- $members := dict -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" -}}
{{- with index $part $name }}{{ $_ := set $members $name . }}{{ end -}}
{{- end -}}
{{- with $context.Values.imagePullSecrets }}{{ $_ := set $members "imagePullSecrets" . }}{{ end -}}
{{- toYaml $members -}}
{{- end }}
