"""``python -m aiops_lab`` is the ``aiops-lab`` command."""

from aiops_lab.cli import main

main()
