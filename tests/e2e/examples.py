"""The examples of the documentation, as programs."""

import re
import textwrap

from conftest import ROOT, run


def example(page, heading, language):
    """Returns the code of a language under a heading of a page of docs/."""
    section = re.split(r"\n##+ ", (ROOT / "docs" / f"{page}.md").read_text().split(f"# {heading}\n")[1])[0]
    return textwrap.dedent(re.search(rf"^ *```{language}\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)[1])


def run_in_node(code, settings, tmp_path):
    """Runs a script among the packages, with settings in the variable COUNTERSIGN. Returns the JSON that it prints."""
    script = ROOT / "tests/e2e/node/node_modules" / f"example-{tmp_path.name}.mjs"
    script.write_text(code)
    try:
        return run(["node", script], settings)
    finally:
        script.unlink()
