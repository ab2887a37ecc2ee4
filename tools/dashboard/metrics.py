"""What CloudWatch would show of a load run, as far as the lines of the audit log contain it."""

import json
import re
from collections import defaultdict
from datetime import datetime

from local_cloud.stack import template

# On AWS the period is a minute.
PERIOD = 5
NAMESPACE = "countersign/countersign"


def widgets():
    """Returns the widgets of the dashboard. The name of a resource stands for the resource."""
    [body, _] = template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    body = body.replace("${AWS::StackName}", "countersign")
    return json.loads(re.sub(r"\$\{([\w:]+)\}", r"\1", body))["widgets"]


def matches(pattern, line):
    """Evaluates a filter pattern, like the tests of the metrics (tests/it/repository/metrics/pattern.rs)."""

    def comparison(found):
        member, expected = found.groups()
        value = line.get(member)
        return str(value is not None if expected == "*" else value == json.loads(expected))

    expression = re.sub(r'\$\.(\w+) = ("[^"]*"|\d+|\*)', comparison, pattern.strip("{ }"))
    return eval(expression.replace("&&", "and").replace("||", "or"))


class Run:
    """The lines of a load run."""

    def __init__(self, lines):
        self.lines = [(datetime.fromisoformat(line["timestamp"]).timestamp(), line) for line in lines]
        self.began = min(at for at, _ in self.lines)
        self.filters = {
            name: resource["Properties"] for name, resource in template()["Resources"].items()
            if resource["Type"] == "AWS::Logs::MetricFilter"
        }

    def period(self, at):
        return int((at - self.began) // PERIOD)

    def values(self, path, statistic):
        """Returns the values of a metric by period, or None if only AWS has the metric."""
        namespace, name, *dimensions = path
        if namespace == NAMESPACE:
            counts = self.filters[name]["LogGroupName"] == {"Ref": "ApiLogGroup"}
            return self.count(self.filters[name]["FilterPattern"], dimensions) if counts else None
        match name:
            case "5xx":
                return self.by_period(sum, ((at, 1) for at, line in self.lines if line.get("status", 0) >= 500))
            case "IntegrationLatency":
                share = int(statistic.removeprefix("p")) / 100
                durations = ((at, line["total_ms"]) for at, line in self.lines if "total_ms" in line)
                return self.by_period(lambda all: sorted(all)[int(share * (len(all) - 1) + 0.5)], durations)
            case "ConcurrentExecutions":
                return self.by_period(max, self.simultaneous())
        return None

    def count(self, pattern, dimensions):
        """Counts the lines that a filter matches and that have the value of the dimension, if there is one."""
        wanted = dict(zip(dimensions[::2], dimensions[1::2]))
        found = ((at, 1) for at, line in self.lines if matches(pattern, line) and wanted.items() <= line.items())
        return self.by_period(sum, found)

    def simultaneous(self):
        """Returns the number of simultaneous requests at the beginning of each request."""
        spans = [(at - line["total_ms"] / 1000, at) for at, line in self.lines if "total_ms" in line]
        return [(begin, sum(other <= begin <= end for other, end in spans)) for begin, _ in spans]

    def by_period(self, combine, points):
        periods = defaultdict(list)
        for at, value in points:
            periods[self.period(at)].append(value)
        return {period: combine(values) for period, values in sorted(periods.items())}
