"""The local cloud of the Makefile: an emulated AWS, the stack on it, and the function under `cargo lambda watch`.

__main__.py  the commands
cloud.py     starts, finds and stops the emulator
emulator.py  the emulator: ministack with one more IAM condition key for writes
stack.py     builds the function, and deploys `template.yaml`
fixtures.py  clients, users and a signing key for a stack
watch.py     the function under `cargo lambda watch`
program.py   child processes, and an environment that cannot reach AWS
"""
