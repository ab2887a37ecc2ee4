"""Draws the dashboard of `template.yaml` with the data of a load run on this machine: `make dashboard`.

__main__.py  the command: runs the service under load, and writes docs/dashboard.svg
load.py      the requests of the load run
metrics.py   the metrics: filters over the log lines, durations and simultaneous requests
chart.py     the picture
"""
