"""What `sam deploy --guided` has saved to samconfig.toml, for `make deploy`: a parameter on SAM's command line takes the
place of all that were saved.

  saved_answers.py Architecture         what was saved for it, if anything was
  saved_answers.py Architecture=arm64   all that was saved, but for this one, as SAM takes it
"""

import re
import sys
import tomllib
from pathlib import Path

ANSWER = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def saved():
    file = Path("samconfig.toml")
    tables = tomllib.loads(file.read_text()) if file.exists() else {}
    answers = tables.get("default", {}).get("deploy", {}).get("parameters", {}).get("parameter_overrides", "")
    return dict(ANSWER.findall(answers if isinstance(answers, str) else " ".join(answers)))


name, assigned, value = sys.argv[1].partition("=")
if assigned:
    print(*(f"{key}={text}" for key, text in (saved() | {name: value}).items()))
else:
    print(saved().get(name, "").strip('"'))
