"""The command `python -m dashboard`: runs the service on this machine under load, and writes docs/dashboard.svg."""

import json
import os
import subprocess
import time

from dashboard import chart, load
from dashboard.metrics import PERIOD, Run, widgets
from local_cloud.program import ROOT, RUN, Program, free_port, interrupt_on_signals, isolate_environment, print_status


def main():
    isolate_environment()
    interrupt_on_signals()
    subprocess.run(["cargo", "build", "--quiet", "--example", "local"], cwd=ROOT, check=True)
    run = Run(lines_of_load())
    periods = load.SECONDS // PERIOD
    drawn = [(widget, series(run, widget["properties"], periods)) for widget in widgets()]
    heading = f"{len(run.lines)} log lines of a load run of {load.SECONDS} s on one machine, in periods of {PERIOD} s"
    (ROOT / "docs/dashboard.svg").write_text(chart.picture(heading, drawn, periods, PERIOD))
    print_status("wrote docs/dashboard.svg")


def lines_of_load():
    """Runs the service under load, and returns the lines of its log."""
    RUN.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), RUN / "dashboard.txt"
    command = [ROOT / "target/debug/examples/local", "--port", port]
    with Program.start("the service", command, os.environ, log) as program:
        while not program.listens(port):
            program.require_running()
            time.sleep(0.1)
        print_status(f"sending requests for {load.SECONDS} s ...")
        load.run(port)
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"timestamp"')]


def series(run, settings, periods):
    """Returns the label and the values of each metric of a widget. `...` repeats the path of the metric before."""
    found, before = [], None
    for *path, options in settings["metrics"]:
        before = before if path == ["..."] else path
        values = run.values(before, options.get("stat", settings["stat"]))
        if values is not None:
            # A request can begin before the first line.
            values = {period: value for period, value in values.items() if 0 <= period < periods}
        found.append((options["label"], values))
    return found


if __name__ == "__main__":
    main()
