"""The installed environment holds together, and the command line starts without its heavy parts."""

import json
import subprocess
import sys

HEAVY = ("torch", "diffusers", "transformers", "tensorflow", "carla", "prefect", "matplotlib", "pandas")


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_diffusers_and_transformers_import_beside_this_torch():
    code = "import diffusers, transformers; diffusers.UNet2DModel; transformers.ResNetConfig; print('ok')"
    assert run_python(code).strip() == "ok"


def test_the_command_line_imports_nothing_heavy():
    code = f"import sys, json, phipd_sim2real.cli; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    assert json.loads(run_python(code)) == []


def test_packages_do_not_import_prefect():
    code = (
        "import pkgutil, importlib, sys, phipd_sim2real, planner_eval\n"
        "for package in (phipd_sim2real, planner_eval):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not module.name.endswith('__main__'):\n"
        "            importlib.import_module(module.name)\n"
        "print('prefect' in sys.modules)"
    )
    assert run_python(code).strip() == "False"
