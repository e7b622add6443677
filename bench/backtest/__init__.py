"""The alerts, replayed on simulated weeks in which it is known what went wrong and when.

`python -m bench.backtest`, or `make backtest`. A small model of the service (traffic.py, conditions.py, service.py,
pipeline.py) lives through eight weeks at three levels of traffic; incidents.py and harmless.py say what happens to it,
promises.py what each rule promises at so much traffic. Its samples become a database (database.py), the recording
rules and alerts are evaluated by a real Prometheus (replay.py), and what fired is held against the truth (score.py).
"""
