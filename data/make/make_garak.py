"""Write ``garak/counter.report.jsonl``: garak against an assistant and with prompts of our own.

Run as ``python make_garak.py FOLDER`` with the Python of an environment that has garak 0.17.1
and neither torch nor transformers (``pip install --no-deps garak``, then what it asks for one by
one). For the time of the run the plugins of ``garak/`` stand in garak's own folders. It reaches
nothing outside. Paths of the machine are taken out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent / "garak"
PROBES = ("Override", "PromptLeak", "OtherCustomersPrivacy")
DETECTORS = ("Obeyed", "ToldPrompt", "ToldCustomer")
OPTIONS = (
    "--target_type function.Multiple --target_name counter_target#answer --generations 3 --seed 7"
    " --report_prefix counter --probes " + ",".join(f"counter.{name}" for name in PROBES)
)


def main(out: str) -> None:
    """Run garak and keep its report, without the machine's paths."""
    package = Path(find_spec("garak").origin).parent  # type: ignore[union-attr, arg-type]
    plugins = [package / kind / "counter.py" for kind in ("probes", "detectors")]
    with tempfile.TemporaryDirectory() as folder:
        homes = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        os.environ |= dict.fromkeys(homes, folder)
        sys.path.insert(0, str(HERE))
        try:
            for plugin in plugins:
                shutil.copy(HERE / f"counter_{plugin.parent.name}.py", plugin)
            _list(package / "resources" / "plugin_cache.json", Path(folder))
            import_module("garak.cli").main(OPTIONS.split())
        finally:
            for plugin in plugins:
                plugin.unlink(missing_ok=True)
        (report,) = Path(folder).rglob("counter.report.jsonl")
        text = report.read_text("utf-8").replace(f"{folder}/", "")
    text = re.sub(r'"/[^"]*/(garak/[^"]*)"', r'"/\1"', text)
    (Path(out) / report.name).write_text(text, "utf-8")


def _list(known: Path, folder: Path) -> None:
    """Put our plugins on garak's list of plugins, for it would import all others to make it anew,
    those that need torch too."""
    cache = import_module("garak._plugins").PluginCache
    plugins = json.loads(known.read_text("utf-8"))
    for kind, names in (("probes", PROBES), ("detectors", DETECTORS)):
        module = import_module(f"garak.{kind}.counter")
        for name in names:
            plugins[kind][f"{kind}.counter.{name}"] = cache.plugin_info(getattr(module, name))
    own = folder / "garak" / "resources" / known.name
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps(plugins, default=sorted), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
