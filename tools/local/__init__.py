"""The local cloud of the Makefile: an AWS on 127.0.0.1, the stack on it, the function under `cargo lambda watch`.

cloud.py     the local cloud, a program that this starts and ends
enforcing.py that program: ministack, which also evaluates which attributes a write names
stack.py     what is deployed on it, by `template.yaml`
fixtures.py  clients, users and a signing key to put in
watch.py     the function under `cargo lambda watch`
program.py   how programs are started, found again and ended, and kept away from AWS
__main__.py  the verbs
"""
