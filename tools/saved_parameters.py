"""Prints template parameters that `sam deploy --guided` has saved to samconfig.toml.

  saved_parameters.py Architecture         the saved value of this parameter, or nothing
  saved_parameters.py Architecture=arm64   all saved parameters with this value, in the form that SAM accepts

`make deploy` needs the second form because a parameter on SAM's command line replaces all saved parameters.
"""

import re
import sys
import tomllib
from pathlib import Path

ASSIGNMENT = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def saved_parameters():
    file = Path("samconfig.toml")
    tables = tomllib.loads(file.read_text()) if file.exists() else {}
    saved = tables.get("default", {}).get("deploy", {}).get("parameters", {}).get("parameter_overrides", "")
    return dict(ASSIGNMENT.findall(saved if isinstance(saved, str) else " ".join(saved)))


name, assigned, value = sys.argv[1].partition("=")
if assigned:
    print(*(f"{key}={text}" for key, text in (saved_parameters() | {name: value}).items()))
else:
    print(saved_parameters().get(name, "").strip('"'))
