"""Write the garak reports in ``garak-0.17.1``: the real tool against its own stub targets.

Run as ``python make_garak_fixtures.py GARAK``, the tool's command in an environment that has
garak 0.17.1 and neither torch nor huggingface_hub (``pip install --no-deps garak``, then what it
asks for one by one). It reaches nothing outside. Paths of the machine are taken out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORTS = {
    # answers nothing: two detectors of one probe, and eight prompts of another
    "blank": "--target_type test.Blank --probes test.Test,lmrc.SlurUsage --generations 2",
    # repeats what it is told: one detector always hits, one at random
    "repeat": "--target_type test.Repeat --probes test.Test --generations 2"
    " --detectors always.Fail,always.Random",
    # never gives an output, which garak counts as passed
    "nones": "--target_type test.Nones --probes test.Test --generations 2",
    # a probe that cannot be loaded: a finished report of nothing
    "empty": "--target_type test.Blank --probes fileformats.HF_Files --generations 1",
    # a detector that cannot be loaded: it breaks off
    "unfinished": "--target_type test.Single --probes packagehallucination.Python --generations 1",
}


def main(garak: str) -> None:
    """Run garak for each report and keep what it writes, without the machine's paths."""
    with tempfile.TemporaryDirectory() as folder:
        homes = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        environment = os.environ | dict.fromkeys(homes, folder)
        for name, options in REPORTS.items():
            command = [garak, *options.split(), "--report_prefix", name]
            subprocess.run(command, env=environment, check=False, capture_output=True)
            (report,) = Path(folder).rglob(f"{name}.report.jsonl")
            text = report.read_text("utf-8").replace(f"{folder}/", "")
            text = re.sub(r'"/[^"]*/(garak/resources/[^"]*)"', r'"/\1"', text)
            (ROOT / "garak-0.17.1" / report.name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
