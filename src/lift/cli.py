"""The command line: one verb, one Config, one function; a stage is imported only when its verb runs."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from lift import __version__
from lift.errors import LiftError


class Verb(NamedTuple):
    """Where a verb lives: module, its frozen Config dataclass, its function, and one line of help."""

    module: str
    config: str
    function: str
    help: str


VERBS: dict[str, Verb] = {
    "poc": Verb(
        "lift.poc", "PocConfig", "poc", "the whole road in one folder: photos to a compared, searchable model"
    ),
    "scenes": Verb("lift.scenes", "ScenesConfig", "scenes", "make the built-in data set of drawn scenes"),
    "ingest": Verb("lift.ingest", "IngestConfig", "ingest", "photos and texts -> DATASET"),
    "shard": Verb(
        "lift.sharding", "ShardConfig", "shard", "DATASET -> DATASET in tar shards, also on object storage"
    ),
    "exam": Verb(
        "lift.auditing",
        "ExamConfig",
        "exam",
        "can a text encoder carry these texts? lights before any training",
    ),
    "embed": Verb("lift.embedding", "EmbedConfig", "embed", "DATASET -> STORE of text vectors, once"),
    "condition": Verb(
        "lift.adaptation", "ConditionConfig", "condition", "centre, whiten or shorten the vectors of a STORE"
    ),
    "train": Verb(
        "lift.training", "TrainConfig", "train", "DATASET + STORE -> RUN with a trained image encoder"
    ),
    "cost": Verb(
        "lift.costing", "CostConfig", "cost", "what LIFT and CLIP cost, and when the text pass has paid"
    ),
    "evaluate": Verb(
        "lift.evaluation", "EvaluateConfig", "evaluate", "RUN + DATASET -> results with intervals"
    ),
    "benchmark": Verb(
        "lift.evaluation.benchmarks",
        "BenchmarkConfig",
        "benchmark",
        "RUN + a public benchmark's folder -> a result under a named protocol",
    ),
    "compare": Verb(
        "lift.report", "CompareConfig", "compare", "several RUNs -> one table and one HTML report"
    ),
    "claims": Verb(
        "lift.claims", "ClaimsConfig", "claims", "the method's claims, tested: confirmed, refuted, undecided"
    ),
    "distill-query": Verb(
        "lift.adaptation", "DistillConfig", "distill_query", "a light text encoder for queries, from a STORE"
    ),
    "index": Verb("lift.indexing", "IndexConfig", "index", "RUN + photos -> INDEX"),
    "search": Verb("lift.indexing", "SearchConfig", "search", "find photos by a sentence, a photo, or both"),
    "watch": Verb("lift.indexing", "WatchConfig", "watch", "keep an INDEX in step with a folder"),
    "manage": Verb(
        "lift.indexing",
        "ManageConfig",
        "manage",
        "an INDEX: delete, snapshots, another model, near-duplicates",
    ),
    "classify": Verb(
        "lift.indexing", "ClassifyConfig", "classify", "give photos one of your class names, untrained"
    ),
    "calibrate": Verb(
        "lift.verifying",
        "CalibrateConfig",
        "calibrate",
        "RUN + labelled pairs -> CALIBRATION with promised error rates",
    ),
    "verify": Verb(
        "lift.verifying", "VerifyConfig", "verify", "do descriptions fit their photos? one photo, or a table"
    ),
    "serve": Verb(
        "lift.serve", "ServeConfig", "serve", "search, classify and verify over HTTP, with a web page"
    ),
    "check": Verb("lift.keeping", "CheckConfig", "check", "is an artefact still what was written"),
    "store": Verb("lift.keeping", "StoreConfig", "store", "what is in a STORE; merge several; tidy one"),
    "export": Verb("lift.exporting", "ExportConfig", "export", "RUN -> ONNX file or transformers folder"),
}


def usage() -> str:
    """The text of `lift --help`, generated from VERBS."""
    width = max(map(len, VERBS))
    lines = ["usage: lift VERB [OPTIONS]   (lift VERB --help lists a verb's options)", "", "verbs:"]
    lines += [f"  {name:<{width}}  {verb.help}" for name, verb in VERBS.items()]
    lines += ["", "options:", "  -h, --help     show this text", "  --version      show lift's version"]
    lines += ["", "exit codes: 0 done, 1 failed, 2 bad usage"]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; ends the process with 0 (done), 1 (failed) or 2 (bad usage)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        sys.exit(0 if arguments else 2)
    if arguments[0] in ("--version", "-V"):
        print(f"lift {__version__}")
        sys.exit(0)
    name, rest = arguments[0], arguments[1:]
    if name not in VERBS:
        near = difflib.get_close_matches(name, VERBS, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        print(f"lift: there is no verb {name!r}.{hint} Known: {', '.join(VERBS)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(run(name, rest))


def run(name: str, arguments: Sequence[str]) -> int:
    """Parse `arguments` into the verb's Config and call its function; returns the exit code."""
    try:
        import tyro

        verb = VERBS[name]
        module = import_module(verb.module)
        config = tyro.cli(getattr(module, verb.config), prog=f"lift {name}", args=list(arguments))
        getattr(module, verb.function)(config)
    except LiftError as error:
        print(f"lift {name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"lift {name}: stopped; run the same command again to go on", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of the output has seen enough, as in `lift … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        file = f" {error.filename}" if error.filename else ""
        print(
            f"lift {name}: the system refused{file}: {error.strerror or error}\n"
            "  what to do: check that the path is right, may be written, and that the disk is not full",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    main()
