"""The README's five minutes to a fleet, in its parts, so that what a newcomer types is what is tested."""

import re

from machine import ROOT

TEXT = (ROOT / "README.md").read_text()
SECTION = TEXT[TEXT.index("## Five minutes to a fleet"):TEXT.index("## Documentation")]
BLOCKS = [(kind, [line.removeprefix("   ") for line in block.rstrip().splitlines()]) for kind, block in re.findall(r"```(\w+)\n(.*?)```", SECTION, re.S)]
[CONFIGURATION] = ["\n".join(lines) + "\n" for kind, lines in BLOCKS if kind == "yaml"]
[AGGREGATOR, RECEIVER, INVITE, HOST, LOOK, KEEP] = [lines for kind, lines in BLOCKS if kind == "sh"]
# Where it says in its text what to do.
TOLD = SECTION[SECTION.index("**Be told.**"):SECTION.index("**Keep it.**")]
[BUSY] = [re.sub(r"\s+", " ", code) for code in re.findall(r"`(yes [^`]+)`", TOLD)]
[LOSE, FIND] = [re.sub(r"\s+", " ", code) for code in re.findall(r"`(systemctl [^`]+)`", TOLD)]
