"""The command `phipd`: one sub-command per stage, exit codes 0 done, 1 failed, 2 bad input."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phipd_sim2real.cli_bench import bench
from phipd_sim2real.cli_rig import rig
from phipd_sim2real.cli_tools import Config, Json, Out, Overrides, emit, with_progress
from phipd_sim2real.cli_waymo import import_waymo
from phipd_sim2real.errors import StageError, UsageError

if TYPE_CHECKING:
    from phipd_sim2real.run import Run

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="CARLA frames enhanced toward Waymo appearance by phase-preserving diffusion, and planners trained on them.",
)


def main() -> None:
    """Entry point: turns the two kinds of error into a sentence and an exit code, and a warning into a sentence."""
    warnings.formatwarning = lambda message, *_, **__: f"phipd: {message}\n"
    try:
        app()
    except UsageError as error:
        _fail(error, code=2)
    except StageError as error:
        _fail(error, code=1)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine can do, and the command that mends what it cannot."""
    from phipd_sim2real.doctor import examine

    findings = examine()
    lines = [f"{f.state:7} {f.name:30} {f.detail}" + (f"  →  {f.mend}" if f.mend else "") for f in findings]
    emit([finding.as_json() for finding in findings], "\n".join(lines), as_json)
    if any(finding.state == "broken" for finding in findings):
        raise StageError("Something that every stage needs is broken; see the lines above.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def serve_simulator(context: typer.Context) -> None:
    """Serve our CARLA-protocol simulator; prints one JSON line with its port. --help lists its options."""
    from phipd_sim2real.simulator.__main__ import main as serve

    raise typer.Exit(serve(context.args))


@app.command()
def capture(config: Config, overrides: Overrides = None, out: Out = None, as_json: Json = False) -> None:
    """Capture every drive log of the run, from the embedded simulator or from a CARLA server."""
    _run_stage(config, out, overrides, as_json, lambda run: run.capture_all())


@app.command()
def train_planner(config: Config, overrides: Overrides = None, out: Out = None, as_json: Json = False) -> None:
    """Train the planner of every arm and seed."""
    _run_stage(config, out, overrides, as_json, lambda run: run.train_all())


@app.command()
def evaluate(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    submission: Annotated[
        Path | None, typer.Option("--submission", help="Write the challenge's archive (.tar.gz) instead of scores.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score every planner and baseline on the evaluation log or records, or plan for Waymo's end-to-end challenge."""
    _run_stage(config, out, overrides, as_json, lambda run: run.submit(submission) if submission else run.evaluate())


@app.command()
def report(config: Config, overrides: Overrides = None, out: Out = None, as_json: Json = False) -> None:
    """Write the report of an evaluated run: one HTML page and one JSON file."""
    _run_stage(config, out, overrides, as_json, lambda run: run.report())


@app.command()
def demo(
    config: Config = Path("configs/demo.yaml"),
    overrides: Overrides = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """The whole way at small size: capture, enhance, train, evaluate, report."""
    _run_stage(config, out, overrides, as_json, lambda run: run.everything())


@app.command()
def study(config: Config, overrides: Overrides = None, out: Out = None, as_json: Json = False) -> None:
    """Run a study: arms with rivals, floors and a ceiling, choices on validation drives, intervals, one report."""
    from phipd_sim2real.opening import open_study

    result = with_progress(lambda progress: open_study(config, out, overrides or (), progress).everything())
    emit(result, result.pop("text"), as_json)


@app.command()
def fit(
    config: Annotated[
        Path,
        typer.Option("--config", help="Model configuration (YAML), such as configs/models/street-small.yaml."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of checkpoints, samples and the finished model.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Fit a phase-preserving model to the unpaired images of a drive log or a folder."""
    from phipd_sim2real.diffusion.fit import fit as fit_model
    from phipd_sim2real.diffusion.fit_settings import FitSettings
    from phipd_sim2real.settings import load_settings

    settings = load_settings(FitSettings, config, overrides or ())
    model = with_progress(lambda progress: fit_model(settings, out, progress))
    emit({"model": str(model)}, f"The model lies in {model}.", as_json)


@app.command()
def enhance(
    source: Annotated[Path, typer.Argument(help="A drive log, a folder of images, or a video.")],
    out: Annotated[Path, typer.Option("--out", help="Where the enhanced log, folder or video goes.")],
    overrides: Overrides = None,
    config: Annotated[Path | None, typer.Option("--config", help="Enhancement settings (YAML).")] = None,
    as_json: Json = False,
) -> None:
    """Enhance a drive log, a folder of images or a video; labels of a log are carried over unchanged."""
    from phipd_sim2real.diffusion.batch import enhance_path
    from phipd_sim2real.diffusion.settings import EnhanceSettings
    from phipd_sim2real.settings import load_settings

    settings = load_settings(EnhanceSettings, config, overrides or ())
    summary = with_progress(lambda progress: enhance_path(source, out, settings, progress))
    emit(summary.model_dump(mode="json"), summary.sentence(), as_json)


@app.command()
def profile(
    log: Annotated[Path, typer.Argument(help="A captured drive log with semantic labels.")],
    task: Annotated[str, typer.Option("--task", help="What has to survive: planning, detection or segmentation.")],
    out: Annotated[Path | None, typer.Option("--out", help="YAML file for `phipd enhance ... profile=FILE`.")] = None,
    as_json: Json = False,
) -> None:
    """Learn which bands of frequency a task needs from a log's labels; prints the profile, or writes it with --out."""
    from phipd_sim2real.diffusion.task_profiles import learned_profile, profile_yaml, write_profile
    from phipd_sim2real.drivelog import DriveLog

    learned = learned_profile(DriveLog(log), task)
    if out is not None:
        write_profile(learned, out)
    text = profile_yaml(learned).rstrip() if out is None else f"The profile lies in {out}."
    emit(learned.model_dump(mode="json"), text, as_json)


@app.command()
def import_weights(
    file: Annotated[Path, typer.Argument(help="Published weights: .ckpt or .safetensors.")],
    base: Annotated[Path, typer.Option("--base", help="Diffusers folder of the model they were trained from.")],
    out: Annotated[Path, typer.Option("--out", help="The new model's folder.")],
    into: Annotated[str | None, typer.Option("--into", help="Which denoiser, where the base has two.")] = None,
    scale: Annotated[float, typer.Option("--scale", help="Of a low-rank update (LoRA).")] = 1.0,
    cutoff_bins: Annotated[
        float | None, typer.Option("--cutoff-bins", help="Default: the authors' for this base.")
    ] = None,
    averaged: Annotated[
        bool, typer.Option("--averaged/--trained", help="The running average, where there is one.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Bring φ-PD weights that were published (SD1.5, or a LoRA of FLUX or Wan) into a diffusers folder."""
    from dataclasses import asdict

    from phipd_sim2real.diffusion.published import import_weights as run

    summary = with_progress(lambda progress: run(file, base, out, into, scale, cutoff_bins, averaged, progress))
    emit(asdict(summary), summary.sentence(), as_json)


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A captured or enhanced drive log, or an enhanced folder.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where the page goes; default PATH/inspect.")] = None,
    source: Annotated[Path | None, typer.Option("--source", help="What it was enhanced from, if it was moved.")] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Drive log or folder of images that the look is compared with.")
    ] = None,
    features: Annotated[
        Path | None, typer.Option("--features", help="Local feature network for KID and FID against the reference.")
    ] = None,
    lpips_weights: Annotated[
        Path | None, typer.Option("--lpips-weights", help="Local AlexNet or VGG-16 weights for LPIPS to the source.")
    ] = None,
    rerun: Annotated[
        Path | None,
        typer.Option("--rerun", help="Also write the drive log as a recording for rerun (.rrd)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a page of frames before and after: structure, label safety, motion, realism, and checks of the labels."""
    from phipd_sim2real.quality.inspect import InspectOptions
    from phipd_sim2real.quality.inspect import inspect as inspect_path

    if rerun is not None:
        from phipd_sim2real.quality.rerun_export import export_recording

        with_progress(lambda progress: export_recording(path, rerun, progress, source))
    options = InspectOptions(reference, features, lpips_weights)
    page = with_progress(lambda progress: inspect_path(path, out, progress, source, options))
    opened = f" The recording lies in {rerun}; open it with `rerun {rerun}`." if rerun is not None else ""
    result = {"page": str(page)} | ({"rerun": str(rerun)} if rerun is not None else {})
    emit(result, f"The page lies in {page}.{opened}", as_json)


app.add_typer(bench, name="bench")
app.add_typer(rig, name="rig")
app.command()(import_waymo)


def _run_stage(
    config: Path,
    out: Path | None,
    overrides: list[str] | None,
    as_json: bool,
    stage: Callable[[Run], dict[str, Any]],
) -> None:
    from phipd_sim2real.opening import open_run

    result = with_progress(lambda progress: stage(open_run(config, out, overrides or (), progress)))
    emit(result, result.pop("text", ""), as_json)


def _fail(error: Exception, code: int) -> None:
    print(f"phipd: {error}", file=sys.stderr)
    sys.exit(code)
