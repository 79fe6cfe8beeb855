"""How the process ends."""

import subprocess
import sys

CODE = """
import os, signal, time
from fanin.config.exits import interrupts_kept

class Interrupted:
    def __del__(self):  # Python only prints what is raised here
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process ignores it
with interrupts_kept():
    try:
        del_me = Interrupted()
        del del_me
        time.sleep(10)
    except KeyboardInterrupt:
        print("heard")
"""


def test_an_interrupt_in_a_callback_is_not_lost():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("heard\n", "")
