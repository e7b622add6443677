"""The dashboards and recording rules as Python; `make dashboards` writes the files Grafana and Prometheus read."""
