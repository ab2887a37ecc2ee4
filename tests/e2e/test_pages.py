"""Every login page in each of its states, in Chromium: `tests/e2e/pages.rs` serves them."""

import shutil
import subprocess

import pytest

from conftest import ROOT, cargo_build, run
from local_cloud.program import RUN


@pytest.fixture(scope="module")
def pages():
    with subprocess.Popen([cargo_build("pages", "--example", "pages")], stdout=subprocess.PIPE, text=True) as program:
        names, address = program.stdout.readline().split(), program.stdout.readline().strip()
        yield {"pages": names, "address": address}
        program.terminate()


def browse(scenario, pages):
    screenshots = RUN / "screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    settings = pages | {
        "scenario": scenario, "screenshots": str(screenshots), "chromium": shutil.which("chromium"),
        "axe": str(ROOT / "tests/e2e/node/node_modules/axe-core/axe.min.js"),
    }
    return run(["node", "tests/e2e/node/pages.mjs"], settings)


def test_s_831_axe_core_has_no_finding_and_nothing_exceeds_320_px(pages):
    # Two looks, two themes, two languages and two widths.
    assert browse("axe", pages) == {"checked": 16 * len(pages["pages"])}


def test_s_831_every_page_works_by_keyboard_and_without_style(pages):
    assert browse("keyboard", pages) == {"checked": len(pages["pages"])}


def test_s_810_the_texts_of_an_attacker_run_nothing_and_load_nothing(pages):
    assert browse("hostile", pages)["checked"] == 18 * len(pages["pages"])


def test_s_811_the_browser_shows_the_style_and_the_logo_and_no_frame(pages):
    assert browse("policy", pages) == {"checked": len(pages["pages"])}
