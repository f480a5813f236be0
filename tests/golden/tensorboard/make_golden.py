#!/usr/bin/env python3
"""Makes an event file with TensorBoard's own writer, at fixed times; crates/training/src/events.rs must write the same bytes.

    pip install tensorboard
    python make_golden.py            # writes beside itself
"""

import math
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = [
    (1_700_000_001.5, 0, [("validation/loss", 9.75)]),
    (1_700_000_002.125, 10, [("train/loss", 0.1), ("train/learning_rate", 2.5e-4)]),
    (1_700_000_003.0, 300_000, [("dev/accuracy", math.nan), ("x", -0.0), ("y", 0.0)]),
]

with open(Path(__file__).with_name("events.out.tfevents.0.gpt1"), "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1_700_000_000.25, file_version="brain.Event:2").SerializeToString())
    for wall_time, step, values in EVENTS:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values])
        writer.write(Event(wall_time=wall_time, step=step, summary=summary).SerializeToString())
    writer.flush()
