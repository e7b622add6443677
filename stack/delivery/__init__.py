"""Where alerts go: the channels of the environment, put into Alertmanager's and Grafana's files."""
