"""Runs `true` on the hosts of a file with parallel-ssh: parallel_ssh.py HOSTS KEY. It has no way to pin host keys."""

import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient

AT_ONCE = 64

hosts, key = Path(sys.argv[1]).read_text().split(), sys.argv[2]
# pinned keys cannot be given, and neither an agent nor other keys are to be tried
client = ParallelSSHClient(hosts, user="root", pkey=key, pool_size=AT_ONCE, allow_agent=False, identity_auth=False)
outputs = client.run_command("true")
client.join(outputs)
sys.exit(any(output.exit_code != 0 for output in outputs))
