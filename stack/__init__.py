"""The stack behind the SDK: Collector, Prometheus, Jaeger, Bugsink and, where they can run, Tempo and Grafana.

`python -m stack up` starts it, with a Docker engine or without; both read the files in collector/ and grafana/.
"""
