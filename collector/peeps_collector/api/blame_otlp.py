# SPDX-License-Identifier: Apache-2.0
"""The blame profile as OTLP profiles, a signal in development: what can be posted to `/v1development/profiles`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.profiles.v1development.profiles_pb2 import ProfilesDictionary

from peeps_otel import semconv
from peeps_otel.diagnosis.blame import Charge
from peeps_otel.diagnosis.blame_formats import frames, parts

from ..version import __version__


def otlp(charges: Sequence[Charge], time_ns: int, duration_ns: int) -> bytes:
    """A serialised `ExportProfilesServiceRequest` with two profiles: waits/count and delay/nanoseconds."""
    request = ExportProfilesServiceRequest()
    tables = _Tables(request.dictionary)
    block = request.resource_profiles.add()
    named = block.resource.attributes.add(key=semconv.SERVICE_NAME)
    named.value.string_value = "peeps-collector"
    scope = block.scope_profiles.add()
    scope.scope.name, scope.scope.version = semconv.SCOPE, __version__
    stacks = [tables.stack(frames(one)) for one in charges]
    for kind, unit, values in (
        ("waits", "count", [one.waits for one in charges]),
        ("delay", "nanoseconds", [one.ns for one in charges]),
    ):
        profile = scope.profiles.add(time_unix_nano=time_ns, duration_nano=duration_ns)
        profile.profile_id = hashlib.sha256(f"{kind} {time_ns} {duration_ns}".encode()).digest()[:16]
        profile.sample_type.type_strindex = tables.text(kind)
        profile.sample_type.unit_strindex = tables.text(unit)
        for stack, value in zip(stacks, values, strict=True):
            profile.samples.add(stack_index=stack, values=[value])
    return request.SerializeToString()


class _Tables:
    """What the profiles point into. The first entry of each table is the empty one, to which 0 points."""

    def __init__(self, dictionary: ProfilesDictionary) -> None:
        self._tables = dictionary
        self._texts = {"": 0}
        self._locations: dict[str, int] = {}
        self._stacks: dict[tuple[str, ...], int] = {}
        dictionary.string_table.append("")
        for table in (
            dictionary.mapping_table,
            dictionary.location_table,
            dictionary.function_table,
            dictionary.link_table,
            dictionary.attribute_table,
            dictionary.stack_table,
        ):
            table.add()

    def text(self, value: str) -> int:
        if value not in self._texts:
            self._texts[value] = len(self._texts)
            self._tables.string_table.append(value)
        return self._texts[value]

    def stack(self, outermost_first: Sequence[str]) -> int:
        leaf_first = tuple(reversed(outermost_first))
        if leaf_first not in self._stacks:
            self._stacks[leaf_first] = len(self._tables.stack_table)
            self._tables.stack_table.add(location_indices=[self._location(frame) for frame in leaf_first])
        return self._stacks[leaf_first]

    def _location(self, frame: str) -> int:
        """Each has a function of its own."""
        if frame not in self._locations:
            name, file, line = parts(frame)
            number = self._locations[frame] = len(self._tables.location_table)
            self._tables.function_table.add(name_strindex=self.text(name), filename_strindex=self.text(file))
            self._tables.location_table.add().lines.add(function_index=number, line=line)
        return self._locations[frame]
