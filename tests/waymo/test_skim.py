"""Reading messages past their large fields, and work ahead of its use."""

import io
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phipd_sim2real.waymo.ahead import WAITING_PER_THREAD, work_ahead
from phipd_sim2real.waymo.skim import E2E_SKIPPED, FRAME_SKIPPED, skim

pytest.importorskip("waymo_open_dataset.dataset_pb2", reason="needs Waymo's protos")

from waymo_frames import frame
from waymo_open_dataset.dataset_pb2 import Frame
from waymo_open_dataset.protos.end_to_end_driving_data_pb2 import E2EDFrame


def test_a_message_without_its_pictures_is_the_rest_of_it():
    message = E2EDFrame(intent=2)
    message.frame.CopyFrom(frame(3))
    message.past_states.pos_x.extend([1, 2, 3])
    data = message.SerializeToString()
    stream = io.BytesIO(b"before" + data + b"after")
    stream.seek(6)
    skimmed = E2EDFrame.FromString(skim(stream, len(data), E2E_SKIPPED))
    message.frame.ClearField("images")
    assert skimmed == message


def test_a_perception_frame_is_left_with_context_time_and_pose():
    message = frame(1)
    data = message.SerializeToString()
    skimmed = Frame.FromString(skim(io.BytesIO(data), len(data), FRAME_SKIPPED))
    assert skimmed == Frame(context=message.context, timestamp_micros=message.timestamp_micros, pose=message.pose)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_give_bytes_or_a_value_error(data):
    try:
        assert len(skim(io.BytesIO(data), len(data), {1: {4: None}})) <= len(data)
    except ValueError:
        return


def test_results_come_in_order_and_wait_for_their_use():
    begun, lock = [], threading.Lock()

    def slow(number):
        with lock:
            begun.append(number)
        time.sleep(0.002 * (number % 3))
        return number * number

    results = work_ahead(slow, range(100), threads=2)
    assert [next(results) for _ in range(10)] == [number * number for number in range(10)]
    time.sleep(0.02)
    assert len(begun) <= 10 + 1 + WAITING_PER_THREAD * 2
    assert list(results) == [number * number for number in range(10, 100)]


def test_an_error_comes_in_its_turn():
    def items():
        yield from (1, 2)
        raise KeyError("source")

    results = work_ahead(lambda number: number, items())
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(KeyError, match="source"):
        next(results)
    divided = work_ahead(lambda number: 1 / number, (1, 0, 2))
    assert next(divided) == 1
    with pytest.raises(ZeroDivisionError):
        next(divided)
