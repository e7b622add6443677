#!/bin/sh
# Exit 0 if the Collector's pipeline moves. Exit 1 if it does not answer, a queue is nearly full, or a queue has held
# data since the last call and its exporter sent nothing in between. Runs in busybox, next to the Collector.
set -eu
host=${COLLECTOR_HOST:-collector}
last=${STATE_FILE:-/tmp/collector-health}
touch "$last"
wget -q -O /dev/null "http://$host:${COLLECTOR_HEALTH_PORT:-13133}/"
wget -q -O "$last.metrics" "http://$host:${COLLECTOR_METRICS_PORT:-18888}/metrics"
awk '
  function exporter(line) { match(line, /exporter="[^"]*"/); return substr(line, RSTART + 10, RLENGTH - 11) }
  /^otelcol_exporter_queue_size[_a-z]*[{]/ { size[exporter($0)] += $NF }
  /^otelcol_exporter_queue_capacity[_a-z]*[{]/ { capacity[exporter($0)] += $NF }
  /^otelcol_exporter_sent_[_a-z]*[{]/ { sent[exporter($0)] += $NF }
  END { for (name in capacity) print name, size[name] + 0, capacity[name], sent[name] + 0 }
' "$last.metrics" > "$last.now"
status=0
awk '
  FILENAME == ARGV[1] { old_size[$1] = $2; old_sent[$1] = $4; next }
  { seen = 1 }
  $2 > 0.8 * $3 { print $1 ": queue nearly full"; bad = 1 }
  $2 > 0 && old_size[$1] > 0 && $4 == old_sent[$1] { print $1 ": wedged, " $2 " bytes wait"; bad = 1 }
  END { if (!seen) print "no exporter in the metrics"; exit bad || !seen }
' "$last" "$last.now" || status=1
mv "$last.now" "$last"
exit "$status"
