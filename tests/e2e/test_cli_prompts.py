"""Prompts of the CLI on a terminal."""

import os
import pty
import select
import subprocess
import termios
import time
from contextlib import contextmanager

import pytest

from cli import stored_item
from local_cloud.program import ROOT

USERNAME = "john.smith@itccompliance.co.uk"
CTRL_C = "\x03"


class Terminal:
    """A pseudo-terminal with one command."""

    def __init__(self, line, controller, process):
        self.line, self.controller, self.process, self.text = line, controller, process, ""

    def wait_for(self, text):
        """Waits until the command prints a text after all that was waited for before."""
        deadline = time.monotonic() + 60
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.text!r}"
            if select.select([self.controller], [], [], 0.2)[0]:
                self.text += os.read(self.controller, 4096).decode()
        printed, self.text = self.text.split(text, 1)
        return printed

    def type(self, text):
        os.write(self.controller, text.encode())

    def settings(self):
        return termios.tcgetattr(self.line)


@contextmanager
def on_terminal(countersign, *arguments):
    """Runs a command of the CLI on a terminal."""
    controller, line = pty.openpty()
    process = subprocess.Popen(
        [countersign.program, "--stack", countersign.stack, *arguments], cwd=ROOT,
        stdin=line, stdout=line, stderr=line, env=countersign.environment | {"TERM": "xterm"}, start_new_session=True,
    )
    try:
        yield Terminal(line, controller, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(controller)
        os.close(line)


def test_ctrl_c_at_a_prompt_restores_the_terminal_and_changes_nothing(cli_stack, countersign):
    before = stored_item(cli_stack, "UsersTable", username=USERNAME)
    with on_terminal(countersign, "user", "set-password", USERNAME) as terminal:
        settings = terminal.settings()
        terminal.wait_for("Password:")
        terminal.wait_for("at least 8 characters")
        assert terminal.settings() != settings, "the prompt has no echo"
        terminal.type("correct horse")
        terminal.type(CTRL_C)
        printed = terminal.wait_for("cancelled; nothing was changed")
        assert terminal.process.wait(30) == 1
        assert terminal.settings() == settings
        assert "horse" not in printed
    assert stored_item(cli_stack, "UsersTable", username=USERNAME) == before


def test_a_password_is_entered_twice_without_echo(cli_stack, countersign):
    before = stored_item(cli_stack, "UsersTable", username=USERNAME)
    password = "plain battery staple horse 7"
    with on_terminal(countersign, "user", "set-password", USERNAME) as terminal:
        settings = terminal.settings()
        printed = terminal.wait_for("Password:")
        terminal.type(f"{password}\r")
        printed += terminal.wait_for("Password again:")
        terminal.type("another one\r")
        printed += terminal.wait_for("The two inputs differ.")
        terminal.type(f"{password}\r")
        printed += terminal.wait_for("Password again:")
        terminal.type(f"{password}\r")
        assert terminal.process.wait(60) == 0
        assert terminal.settings() == settings
        assert "battery" not in printed
    assert stored_item(cli_stack, "UsersTable", username=USERNAME) != before
    countersign("user", "set-password", USERNAME, "--accept-weak-password", input="secret-password\n")


@pytest.mark.parametrize("reply, code", [("YES", 0), ("y", 0), ("no", 1), ("", 1)])
def test_a_confirmation_accepts_yes_in_any_case(cli_stack, countersign, reply, code):
    countersign("client", "create", "confirmed", "--scope", "billing:read")
    with on_terminal(countersign, "client", "delete", "confirmed") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type(f"{reply}\n")
        assert terminal.process.wait(30) == code
    assert (stored_item(cli_stack, "ClientsTable", client_id="confirmed") is None) == (code == 0)
    if code:
        countersign("client", "delete", "confirmed", "--yes")
