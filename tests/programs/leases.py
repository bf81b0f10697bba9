"""leases.py HOME: prints the ports that the home's lease table says are leased to runs, one a line with the run's id."""

import struct
import sys

PORTS, OWNERS_AT, RUN, KIND_SHIFT, ID_BITS = 65536, 56 + 8 * 256, 1, 62, 56

with open(sys.argv[1] + "/leases", "rb") as file:
    table = file.read()
for port, owner in enumerate(struct.unpack_from(f"={PORTS}Q", table, OWNERS_AT)):
    if owner >> KIND_SHIFT == RUN:
        print(port, f"{owner & (1 << ID_BITS) - 1:014x}")
