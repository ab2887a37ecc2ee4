"""Prints template parameters that samconfig.toml contains. `sam deploy --guided` writes them there.

  saved_parameters.py Architecture         the saved value of this parameter, or nothing
  saved_parameters.py Architecture=arm64   all saved parameters with this value, in the form that SAM accepts

`--config-env` selects an environment of samconfig.toml; without it, `default` is read.

The second form exists because a parameter on SAM's command line replaces all saved parameters. It empties a saved
`Release`, because each release needs another name.
"""

import argparse
import re
import tomllib
from pathlib import Path

ASSIGNMENT = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def saved_parameters(environment):
    file = Path("samconfig.toml")
    tables = tomllib.loads(file.read_text()) if file.exists() else {}
    saved = tables.get(environment, {}).get("deploy", {}).get("parameters", {}).get("parameter_overrides", "")
    return dict(ASSIGNMENT.findall(saved if isinstance(saved, str) else " ".join(saved)))


arguments = argparse.ArgumentParser()
arguments.add_argument("--config-env", default="default")
arguments.add_argument("parameter")
arguments = arguments.parse_args()
name, assigned, value = arguments.parameter.partition("=")
saved = saved_parameters(arguments.config_env)
if assigned:
    if "Release" in saved:
        saved["Release"] = '""'
    print(*(f"{key}={text}" for key, text in (saved | {name: value}).items()))
else:
    print(saved.get(name, "").strip('"'))
