#!/bin/sh
# Exit 0 if the Collector's pipeline moves. Exit 1 if it does not answer, a queue is nearly full, or a queue has held
# data since the last call and its exporter sent nothing in between. Runs in busybox, next to the Collector.
set -eu
host=${COLLECTOR_HOST:-collector}
before=${STATE_FILE:-/tmp/collector-health}
touch "$before"
wget -q -T 3 -O /dev/null "http://$host:13133/"
wget -q -T 3 -O - "http://$host:8888/metrics" | awk -v before="$before" '
  function exporter(line) { match(line, /exporter="[^"]*"/); return substr(line, RSTART + 10, RLENGTH - 11) }
  BEGIN { while ((getline line < before) > 0) { split(line, f, " "); old_size[f[1]] = f[2]; old_sent[f[1]] = f[3] } }
  /^otelcol_exporter_queue_size[_a-z]*\{/ { size[exporter($0)] = $NF }
  /^otelcol_exporter_queue_capacity[_a-z]*\{/ { capacity[exporter($0)] = $NF }
  /^otelcol_exporter_sent_[_a-z]*\{/ { sent[exporter($0)] += $NF }
  END {
    printf "" > before
    for (name in capacity) {
      seen = 1
      print name, size[name] + 0, sent[name] + 0 >> before
      if (size[name] > 0.8 * capacity[name]) { print name ": queue nearly full"; bad = 1 }
      if (size[name] > 0 && old_size[name] > 0 && sent[name] + 0 == old_sent[name]) { print name ": wedged"; bad = 1 }
    }
    if (!seen) { print "no exporter in the metrics"; bad = 1 }
    exit bad
  }'
