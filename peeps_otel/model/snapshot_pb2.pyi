from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Snapshot(_message.Message):
    __slots__ = ("stream_id", "sequence", "time_unix_nano", "key_frame", "strings", "nodes", "gone", "edges", "frames", "stacks", "cost", "coverage", "shed", "secret")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_NANO_FIELD_NUMBER: _ClassVar[int]
    KEY_FRAME_FIELD_NUMBER: _ClassVar[int]
    STRINGS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    SHED_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    stream_id: int
    sequence: int
    time_unix_nano: int
    key_frame: bool
    strings: _containers.RepeatedScalarFieldContainer[str]
    nodes: Nodes
    gone: _containers.RepeatedScalarFieldContainer[int]
    edges: Edges
    frames: Frames
    stacks: Stacks
    cost: Cost
    coverage: _containers.RepeatedScalarFieldContainer[str]
    shed: _containers.RepeatedScalarFieldContainer[str]
    secret: int
    def __init__(self, stream_id: _Optional[int] = ..., sequence: _Optional[int] = ..., time_unix_nano: _Optional[int] = ..., key_frame: bool = ..., strings: _Optional[_Iterable[str]] = ..., nodes: _Optional[_Union[Nodes, _Mapping]] = ..., gone: _Optional[_Iterable[int]] = ..., edges: _Optional[_Union[Edges, _Mapping]] = ..., frames: _Optional[_Union[Frames, _Mapping]] = ..., stacks: _Optional[_Union[Stacks, _Mapping]] = ..., cost: _Optional[_Union[Cost, _Mapping]] = ..., coverage: _Optional[_Iterable[str]] = ..., shed: _Optional[_Iterable[str]] = ..., secret: _Optional[int] = ...) -> None: ...

class Nodes(_message.Message):
    __slots__ = ("local", "ulid", "kind", "name", "created_at", "source", "flags", "state", "providers", "steps", "stack", "wait_operation", "wait_since", "wait_needs", "wait_deadline", "wait_source", "attribute_row", "attribute_key", "attribute_type", "attribute_value")
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    ULID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    WAIT_OPERATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_SINCE_FIELD_NUMBER: _ClassVar[int]
    WAIT_NEEDS_FIELD_NUMBER: _ClassVar[int]
    WAIT_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    WAIT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_ROW_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_TYPE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_VALUE_FIELD_NUMBER: _ClassVar[int]
    local: _containers.RepeatedScalarFieldContainer[int]
    ulid: bytes
    kind: _containers.RepeatedScalarFieldContainer[int]
    name: _containers.RepeatedScalarFieldContainer[int]
    created_at: _containers.RepeatedScalarFieldContainer[int]
    source: _containers.RepeatedScalarFieldContainer[int]
    flags: _containers.RepeatedScalarFieldContainer[int]
    state: _containers.RepeatedScalarFieldContainer[int]
    providers: _containers.RepeatedScalarFieldContainer[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    stack: _containers.RepeatedScalarFieldContainer[int]
    wait_operation: _containers.RepeatedScalarFieldContainer[int]
    wait_since: _containers.RepeatedScalarFieldContainer[int]
    wait_needs: _containers.RepeatedScalarFieldContainer[int]
    wait_deadline: _containers.RepeatedScalarFieldContainer[int]
    wait_source: _containers.RepeatedScalarFieldContainer[int]
    attribute_row: _containers.RepeatedScalarFieldContainer[int]
    attribute_key: _containers.RepeatedScalarFieldContainer[int]
    attribute_type: _containers.RepeatedScalarFieldContainer[int]
    attribute_value: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, local: _Optional[_Iterable[int]] = ..., ulid: _Optional[bytes] = ..., kind: _Optional[_Iterable[int]] = ..., name: _Optional[_Iterable[int]] = ..., created_at: _Optional[_Iterable[int]] = ..., source: _Optional[_Iterable[int]] = ..., flags: _Optional[_Iterable[int]] = ..., state: _Optional[_Iterable[int]] = ..., providers: _Optional[_Iterable[int]] = ..., steps: _Optional[_Iterable[int]] = ..., stack: _Optional[_Iterable[int]] = ..., wait_operation: _Optional[_Iterable[int]] = ..., wait_since: _Optional[_Iterable[int]] = ..., wait_needs: _Optional[_Iterable[int]] = ..., wait_deadline: _Optional[_Iterable[int]] = ..., wait_source: _Optional[_Iterable[int]] = ..., attribute_row: _Optional[_Iterable[int]] = ..., attribute_key: _Optional[_Iterable[int]] = ..., attribute_type: _Optional[_Iterable[int]] = ..., attribute_value: _Optional[_Iterable[int]] = ...) -> None: ...

class Edges(_message.Message):
    __slots__ = ("source_row", "kind", "target", "since", "source", "flags")
    SOURCE_ROW_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    source_row: _containers.RepeatedScalarFieldContainer[int]
    kind: _containers.RepeatedScalarFieldContainer[int]
    target: _containers.RepeatedScalarFieldContainer[int]
    since: _containers.RepeatedScalarFieldContainer[int]
    source: _containers.RepeatedScalarFieldContainer[int]
    flags: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, source_row: _Optional[_Iterable[int]] = ..., kind: _Optional[_Iterable[int]] = ..., target: _Optional[_Iterable[int]] = ..., since: _Optional[_Iterable[int]] = ..., source: _Optional[_Iterable[int]] = ..., flags: _Optional[_Iterable[int]] = ...) -> None: ...

class Frames(_message.Message):
    __slots__ = ("function", "file", "line", "owner")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    function: _containers.RepeatedScalarFieldContainer[int]
    file: _containers.RepeatedScalarFieldContainer[int]
    line: _containers.RepeatedScalarFieldContainer[int]
    owner: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, function: _Optional[_Iterable[int]] = ..., file: _Optional[_Iterable[int]] = ..., line: _Optional[_Iterable[int]] = ..., owner: _Optional[_Iterable[int]] = ...) -> None: ...

class Stacks(_message.Message):
    __slots__ = ("length", "frame")
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    length: _containers.RepeatedScalarFieldContainer[int]
    frame: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, length: _Optional[_Iterable[int]] = ..., frame: _Optional[_Iterable[int]] = ...) -> None: ...

class Cost(_message.Message):
    __slots__ = ("cpu_ns", "duration_ns", "dropped", "interval_ns")
    CPU_NS_FIELD_NUMBER: _ClassVar[int]
    DURATION_NS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_NS_FIELD_NUMBER: _ClassVar[int]
    cpu_ns: int
    duration_ns: int
    dropped: int
    interval_ns: int
    def __init__(self, cpu_ns: _Optional[int] = ..., duration_ns: _Optional[int] = ..., dropped: _Optional[int] = ..., interval_ns: _Optional[int] = ...) -> None: ...
