{{- define "ottla.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name }}{{ end -}}
{{- end -}}

{{- define "ottla.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ottla.labels" -}}
{{ include "ottla.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The name by which the pods of this chart reach a pod. */}}
{{- define "ottla.domain" -}}
{{ include "ottla.name" . }}-nodes.{{ .Release.Namespace }}.svc
{{- end -}}

{{- define "ottla.voters" -}}
{{- $name := include "ottla.name" . -}}
{{- $domain := include "ottla.domain" . -}}
{{- range $id := until (int .Values.controllers) -}}
{{- if $id }},{{ end }}{{ $id }}@{{ $name }}-{{ $id }}.{{ $domain }}:9093
{{- end -}}
{{- end -}}

{{/* What must hold of the values. */}}
{{- define "ottla.check" -}}
{{- $controllers := int .Values.controllers -}}
{{- if not (has $controllers (list 1 3 5)) -}}
{{- fail (printf "controllers is %v: 1, 3 or 5 nodes can vote" .Values.controllers) -}}
{{- end -}}
{{- if and (eq $controllers 1) (gt (int .Values.brokers) 0) -}}
{{- fail "brokers beside controllers=1: a node that votes alone has no failover; take 3" -}}
{{- end -}}
{{- if le (int .Values.firstBrokerId) 4 -}}
{{- fail (printf "firstBrokerId is %v: the ids below 5 are the controllers'" .Values.firstBrokerId) -}}
{{- end -}}
{{- if and .Values.external.enabled (not .Values.external.host) -}}
{{- fail "external.enabled needs external.host: what do clients dial?" -}}
{{- end -}}
{{- if and .Values.external.enabled (gt (int .Values.brokers) 50) -}}
{{- fail "external.enabled has ports for 50 brokers" -}}
{{- end -}}
{{- range $key, $value := .Values.config -}}
{{- if has $key (list "node.id" "process.roles" "listeners" "advertised.listeners" "inter.broker.listener.name" "controller.quorum.voters" "controller.listener.names" "log.dirs" "log.dir") -}}
{{- fail (printf "config.%s is set by the chart" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The server.properties of one node. Takes a dict: root, pod, id, roles, nodePort. */}}
{{- define "ottla.properties" -}}
{{- $domain := include "ottla.domain" .root -}}
{{- $external := .root.Values.external -}}
{{- $isController := contains "controller" .roles -}}
node.id={{ .id }}
process.roles={{ .roles }}
listeners=CLIENTS://:9092{{ if $external.enabled }},EXTERNAL://:9094{{ end }}{{ if $isController }},CONTROLLER://:9093{{ end }}
advertised.listeners=CLIENTS://{{ .pod }}.{{ $domain }}:9092{{ if $external.enabled }},EXTERNAL://{{ $external.host }}:{{ .nodePort }}{{ end }}
listener.security.protocol.map=CLIENTS:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
controller.quorum.voters={{ include "ottla.voters" .root }}
log.dirs=/var/lib/kafka/data/ottla
ottla.http.listener=0.0.0.0:9644
{{- $replicas := min 3 (int .root.Values.controllers) }}
default.replication.factor={{ $replicas }}
offsets.topic.replication.factor={{ $replicas }}
transaction.state.log.replication.factor={{ $replicas }}
share.coordinator.state.topic.replication.factor={{ $replicas }}
transaction.state.log.min.isr={{ min 2 $replicas }}
share.coordinator.state.topic.min.isr={{ min 2 $replicas }}
{{- range $key, $value := .root.Values.config }}
{{ $key }}={{ if kindIs "float64" $value }}{{ $value | int64 }}{{ else }}{{ $value }}{{ end }}
{{- end }}
{{- end -}}

{{/* One StatefulSet. Takes a dict: root, suffix, set, roles, replicas, start (the first id). */}}
{{- define "ottla.nodes" -}}
{{- $name := include "ottla.name" .root -}}
{{- $domain := include "ottla.domain" .root -}}
{{- $values := .root.Values -}}
{{- $isBroker := contains "broker" .roles -}}
{{- $isController := contains "controller" .roles -}}
{{- $isExternal := $values.external.enabled -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $name }}{{ .suffix }}
  labels:
    {{- include "ottla.labels" .root | nindent 4 }}
spec:
  serviceName: {{ $name }}-nodes
  replicas: {{ .replicas }}
  ordinals:
    start: {{ .start }}
  # The voters need each other before one of them is ready.
  podManagementPolicy: Parallel
  updateStrategy:
    type: RollingUpdate
  selector:
    matchLabels:
      {{- include "ottla.selector" .root | nindent 6 }}
      ottla/set: {{ .set }}
  template:
    metadata:
      labels:
        {{- include "ottla.selector" .root | nindent 8 }}
        ottla/set: {{ .set }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9644"
        checksum/config: {{ toYaml $values.config | sha256sum }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- with $values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.serviceAccountName }}
      serviceAccountName: {{ . }}
      {{- end }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        runAsGroup: 1000
        fsGroup: 1000
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile:
          type: RuntimeDefault
      {{- if $values.topologySpread.enabled }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: {{ $values.topologySpread.topologyKey }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "ottla.selector" .root | nindent 14 }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: ottla
          image: "{{ $values.image.repository }}:{{ $values.image.tag | default .root.Chart.AppVersion }}"
          imagePullPolicy: {{ $values.image.pullPolicy }}
          # Each pod has a file of its own, and every key of it can be read there.
          command: ["/usr/bin/ottla", "/etc/ottla/$(POD_NAME).properties"]
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            {{- with $values.clusterId }}
            - name: CLUSTER_ID
              value: {{ . | quote }}
            {{- end }}
            {{- with $values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - {name: kafka, containerPort: 9092}
            {{- if $isController }}
            - {name: controller, containerPort: 9093}
            {{- end }}
            {{- if $isExternal }}
            - {name: external, containerPort: 9094}
            {{- end }}
            - {name: http, containerPort: 9644}
          startupProbe:
            httpGet: {path: /health/live, port: http}
            periodSeconds: 1
            failureThreshold: 300
          readinessProbe:
            httpGet: {path: /health/ready, port: http}
            periodSeconds: 2
          livenessProbe:
            httpGet: {path: /health/live, port: http}
            periodSeconds: 10
            failureThreshold: 6
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: data, mountPath: /var/lib/kafka/data}
            - {name: config, mountPath: /etc/ottla, readOnly: true}
      volumes:
        - name: config
          configMap: {name: {{ $name }}}
        {{- if not $values.persistence.enabled }}
        - name: data
          emptyDir: {}
        {{- end }}
  {{- if $values.persistence.enabled }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.persistence.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ $values.persistence.size }}
  {{- end }}
{{- end -}}

{{/* How clients outside reach one pod. Takes a dict: root, pod, nodePort. */}}
{{- define "ottla.external" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .pod }}-external
  labels:
    {{- include "ottla.labels" .root | nindent 4 }}
spec:
  type: NodePort
  publishNotReadyAddresses: true
  selector:
    {{- include "ottla.selector" .root | nindent 4 }}
    statefulset.kubernetes.io/pod-name: {{ .pod }}
  ports:
    - {name: external, port: 9094, targetPort: external, nodePort: {{ .nodePort }}}
{{- end -}}
