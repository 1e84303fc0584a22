# SPDX-License-Identifier: Apache-2.0
"""The wire format of trace requests, read without objects: where the spans lie, and what is in each.

The bytes are untrusted. Every index is checked by Numba, every length against the end of what it lies in, and positions
only grow. What is malformed is not explained here: the caller has protobuf's parser do that. References to arrays are
not counted (compiler.py): they are the caller's.
"""

from __future__ import annotations

from .compiler import Array, compiled, inlined, int64, uint64, within

MALFORMED = -1
# Columns of the matrix of spans.
ODD, TRACE, ID, PARENT, STATE, STATE_SIZE, NAME, NAME_SIZE, KIND, START, END = range(11)
DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS, STATUS, MESSAGE, MESSAGE_SIZE, FLAGS, FIRST, LAST = range(11, 20)
SPAN_COLUMNS = 20
# Columns of the matrix of attributes: where its key and its value lie, or the value itself.
KEY, KEY_SIZE, TYPE, VALUE, VALUE_SIZE = range(5)
ATTRIBUTE_COLUMNS = 5
STRING, BOOL, INT, DOUBLE = 1, 2, 3, 4
"""Types of a value: the field numbers of AnyValue."""
OF_RESOURCE, SCOPE, OF_SCOPE = 0, 1, 2
"""What a row of heads is."""
_KEY_FIELD, _VALUE_FIELD = 0x0A, 0x12
_STRING_FIELD, _BOOL_FIELD, _INT_FIELD, _DOUBLE_FIELD = 0x0A, 0x10, 0x18, 0x21
"""The bytes that fields begin with: number and wire type."""
_MANY = 128  # attributes of one span
_UINT32_MAX = (1 << 32) - 1
_INT64_MAX = (1 << 63) - 1


@inlined
def varint(data: Array, position: int, end: int) -> tuple[int, int]:
    """The number as 64 bits, and the position after it; that is -1 where it is cut off or too long."""
    if position < end and data[position] < 128:  # nearly always
        return uint64(data[position]), position + 1
    number = uint64(0)
    shift = uint64(0)
    while position < end:
        byte = data[position]
        position += 1
        if shift == uint64(63) and byte > 1:
            return number, int64(-1)
        number |= uint64(byte & 127) << shift
        if byte < 128:
            return number, position
        shift += uint64(7)
        if shift > uint64(63):
            return number, int64(-1)
    return number, int64(-1)


@compiled
def field(data: Array, position: int, end: int) -> tuple[int, int, int, int]:
    """Number, wire type, begin and end of the value of the field at `position`; the end is -1 where it is malformed."""
    key, position = varint(data, position, end)
    number = int64(key >> uint64(3))
    kind = int64(key & uint64(7))
    if position < 0 or key > uint64(_UINT32_MAX) or number == 0:
        return number, kind, int64(0), int64(-1)
    begin = position
    if kind == 2:
        size, begin = varint(data, position, end)
        if begin < 0 or size > uint64(end - begin):
            return number, kind, int64(0), int64(-1)
        return number, kind, begin, begin + int64(size)
    if kind == 0:
        _, position = varint(data, position, end)
        return number, kind, begin, position
    size_of_fixed = 8 if kind == 1 else 4 if kind == 5 else end - begin + 1
    if size_of_fixed > end - begin:
        return number, kind, int64(0), int64(-1)
    return number, kind, begin, begin + size_of_fixed


@compiled
def fixed(data: Array, begin: int, end: int) -> int:
    """A number of the bytes from `begin` to `end`, the lowest first."""
    number = uint64(0)
    for place in range(begin, end):
        number |= uint64(data[place]) << uint64(8 * (place - begin))
    return number


@compiled
def note(table: Array, row: int, first: int, second: int, third: int, fourth: int = 0) -> int:
    """Writes a row where there is room for it; the number of rows so far."""
    if row < table.shape[0]:
        table[row, 0], table[row, 1], table[row, 2] = first, second, third
        if table.shape[1] > 3:
            table[row, 3] = fourth
    return row + 1


@compiled
def find_spans(data: Array, spans: Array, heads: Array) -> tuple[int, int, int]:
    """Where the spans are, and all else. `spans`: begin, end, number of the scope. `heads`: what it is, its number,
    begin, end: OF_RESOURCE and OF_SCOPE are fields of such a block, SCOPE is a new one, with the number of its resource
    as its begin. What has no room in the arrays is only counted.

    Returns how many spans, heads and scopes there are; MALFORMED instead of the first where something is cut off."""
    size = int64(data.shape[0])
    found, noted, scopes, resources = int64(0), int64(0), int64(0), int64(0)
    position = int64(0)
    while position < size:
        number, kind, begin, end = field(data, position, size)
        if end < 0:
            return int64(MALFORMED), noted, scopes
        position = end
        if number == 1 and kind == 2:
            found, noted, scopes = _scopes(data, begin, end, resources, spans, heads, found, noted, scopes)
            resources += 1
            if found < 0:
                return int64(MALFORMED), noted, scopes
    return found, noted, scopes


@compiled
def _scopes(
    data: Array, position: int, end: int, resource: int, spans: Array, heads: Array, found: int, noted: int, scopes: int
) -> tuple[int, int, int]:
    while position < end:
        start = position
        number, kind, begin, position = field(data, start, end)
        if position < 0:
            return int64(MALFORMED), noted, scopes
        if number != 2 or kind != 2:
            noted = note(heads, noted, OF_RESOURCE, resource, start, position)
            continue
        noted = note(heads, noted, SCOPE, scopes, resource)
        inner = begin
        while inner < position:
            start = inner
            number, kind, span, inner = field(data, start, position)
            if inner < 0:
                return int64(MALFORMED), noted, scopes
            if number == 2 and kind == 2:
                found = note(spans, found, span, inner, scopes)
            else:
                noted = note(heads, noted, OF_SCOPE, scopes, start, inner)
        scopes += 1
    return found, noted, scopes


@compiled
def read_spans(data: Array, spans: Array, first: int, last: int, table: Array, attributes: Array) -> tuple[int, int]:
    """Fills a row of `table` for each span from `first` to before `last`, and one of `attributes` for each of theirs,
    until one of the two is full; those of a span are from FIRST to before LAST. A span that has more, or other things,
    than columns can say is marked ODD.

    Returns how many spans and how many attributes were read."""
    row, used = int64(0), int64(0)
    while first + row < last and row < table.shape[0] and used + _MANY < attributes.shape[0]:
        entry = table[row]
        entry[:] = 0
        entry[FIRST] = used
        position, end = spans[first + row, 0], spans[first + row, 1]
        odd = False
        while position < end and not odd:
            number, kind, begin, position = field(data, position, end)
            if position < 0:
                odd = True
            elif number == 9 and kind == 2:
                odd = used - entry[FIRST] >= _MANY or not read_attribute(data, begin, position, attributes, used)
                used += 1
            elif kind == 2:
                odd = not _read_bytes(data, number, begin, position, entry)
            else:
                odd = not _read_number(data, number, kind, begin, position, entry)
        if odd or entry[TRACE] == 0 or entry[ID] == 0 or has_twice(data, attributes, entry[FIRST], used):
            entry[ODD] = 1
            used = entry[FIRST]
        entry[LAST] = used
        row += 1
    return row, used


@compiled
def _read_bytes(data: Array, number: int, begin: int, end: int, entry: Array) -> bool:
    """Whether it is something that a column can say."""
    size = end - begin
    if number == 1:
        entry[TRACE] = begin
        return size == 16
    if number == 2:
        entry[ID] = begin
        return size == 8
    if number == 4:
        entry[PARENT] = begin if size else 0
        return size == 8 or size == 0
    if number == 3:
        entry[STATE], entry[STATE_SIZE] = begin, size
        return is_utf8(data, begin, end)
    if number == 5:
        entry[NAME], entry[NAME_SIZE] = begin, size
        return is_utf8(data, begin, end)
    return number == 15 and _read_status(data, begin, end, entry)


@compiled
def _read_status(data: Array, position: int, end: int, entry: Array) -> bool:
    while position < end:
        number, kind, begin, position = field(data, position, end)
        if position < 0:
            return False
        if number == 2 and kind == 2:
            entry[MESSAGE], entry[MESSAGE_SIZE] = begin, position - begin
            if not is_utf8(data, begin, position):
                return False
        elif number == 3 and kind == 0:
            code, _ = varint(data, begin, position)
            if code > uint64(2):
                return False
            entry[STATUS] = int64(code)
        else:
            return False
    return True


@compiled
def _read_number(data: Array, number: int, kind: int, begin: int, end: int, entry: Array) -> bool:
    if kind == 1:
        value = fixed(data, begin, end)
        if number == 7:
            entry[START] = int64(value) if value <= uint64(_INT64_MAX) else int64(0)
        elif number == 8:
            entry[END] = int64(value) if value <= uint64(_INT64_MAX) else int64(0)
        return number == 7 or number == 8
    if kind == 5:
        entry[FLAGS] = int64(fixed(data, begin, end))
        return number == 16
    value, _ = varint(data, begin, end)
    if number == 6:
        entry[KIND] = int64(value & uint64(7))
        return value <= uint64(5)
    if value > uint64(_UINT32_MAX):
        return False
    if number == 10:
        entry[DROPPED_ATTRIBUTES] = int64(value)
    elif number == 12:
        entry[DROPPED_EVENTS] = int64(value)
    elif number == 14:
        entry[DROPPED_LINKS] = int64(value)
    return number == 10 or number == 12 or number == 14


@compiled
def read_attribute(data: Array, position: int, end: int, attributes: Array, row: int) -> bool:
    """Whether it is a key and one plain value, in this order, with the shortest of keys and no more."""
    begin, position = _sized(data, _KEY_FIELD, position, end)
    if position < 0 or not is_utf8(data, begin, position):
        return False
    attributes[row, KEY], attributes[row, KEY_SIZE], attributes[row, VALUE_SIZE] = begin, position - begin, 0
    begin, position = _sized(data, _VALUE_FIELD, position, end)
    if position != end or begin >= end:
        return False
    key = data[begin]
    attributes[row, TYPE] = int64(key >> 3)
    if key == _STRING_FIELD:
        begin, position = _sized(data, _STRING_FIELD, begin, end)
        attributes[row, VALUE], attributes[row, VALUE_SIZE] = begin, end - begin
        return position == end and is_utf8(data, begin, end)
    begin += 1
    if key == _DOUBLE_FIELD:
        if end - begin != 8:
            return False
        bits = fixed(data, begin, end)
        attributes[row, VALUE] = int64(bits)
        return (bits >> uint64(52)) & uint64(0x7FF) != uint64(0x7FF)  # JSON has no word for what is not finite
    if key != _BOOL_FIELD and key != _INT_FIELD:
        return False
    value, position = varint(data, begin, end)
    attributes[row, VALUE] = int64(value != uint64(0)) if key == _BOOL_FIELD else int64(value)
    return position == end


@inlined
def _sized(data: Array, key: int, position: int, end: int) -> tuple[int, int]:
    """Begin and end of the value of a field that begins with the byte `key`; the end is -1 where it is another, or
    malformed."""
    if position >= end or data[position] != key:
        return position, int64(-1)
    size, begin = varint(data, position + 1, end)
    if begin < 0 or size > uint64(end - begin):
        return position, int64(-1)
    return begin, begin + int64(size)


@compiled
def has_twice(data: Array, attributes: Array, first: int, last: int) -> bool:
    """Whether two attributes have one key."""
    for one in range(first, last):
        for other in range(first, one):
            size = attributes[one, KEY_SIZE]
            if size == attributes[other, KEY_SIZE]:
                same = True
                for place in range(size):
                    if data[attributes[one, KEY] + place] != data[attributes[other, KEY] + place]:
                        same = False
                        break
                if same:
                    return True
    return False


@within
def _all_bits(data: Array, begin: int, end: int) -> int:
    bits = 0
    for place in range(begin, end):
        bits |= data[place]
    return bits


@compiled
def is_utf8(data: Array, position: int, end: int) -> bool:
    """Whether the bytes are well-formed UTF-8 (Unicode 15, table 3-7)."""
    if _all_bits(data, position, end) < 0x80:
        return True
    while position < end:
        byte = data[position]
        position += 1
        if byte < 0x80:
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= byte <= 0xDF:
            more = 1
        elif 0xE0 <= byte <= 0xEF:
            more = 2
            low = 0xA0 if byte == 0xE0 else 0x80
            high = 0x9F if byte == 0xED else 0xBF
        elif 0xF0 <= byte <= 0xF4:
            more = 3
            low = 0x90 if byte == 0xF0 else 0x80
            high = 0x8F if byte == 0xF4 else 0xBF
        else:
            return False
        if position + more > end:
            return False
        for _ in range(more):
            if data[position] < low or data[position] > high:
                return False
            low, high = 0x80, 0xBF
            position += 1
    return True
