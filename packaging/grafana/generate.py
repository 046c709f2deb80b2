#!/usr/bin/env python3
"""Writes the dashboards in dashboards/, from what stands in source/: run it after a change there, and commit both. --check writes nothing and fails when
a file is not as it would be written."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from source import alerts, containers, fleet, host, itself  # noqa: E402

DASHBOARDS = {"fleet": fleet, "host": host, "containers": containers, "alerts": alerts, "vigil": itself}


def render():
    """File names and texts."""
    return {f"{name}.json": json.dumps(module.build(), indent=2, ensure_ascii=False) + "\n" for name, module in DASHBOARDS.items()}


def main():
    folder = HERE / "dashboards"
    folder.mkdir(exist_ok=True)
    files = render()
    stale = [name for name, text in files.items() if not (folder / name).exists() or (folder / name).read_text() != text]
    stale += [path.name for path in sorted(folder.glob("*.json")) if path.name not in files]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"dashboards/{name} is not what source/ says: run packaging/grafana/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for name, text in files.items():
        (folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
