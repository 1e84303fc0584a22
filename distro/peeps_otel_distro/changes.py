# SPDX-License-Identifier: Apache-2.0
"""What the distribution changes in the process, for `docs/what-we-touch.md`; a program that runs does not load it."""

from __future__ import annotations

from peeps_otel.model.change import Change

from .distro import DEFAULTS

CHANGES = (
    Change(
        f"`os.environ`: {', '.join(f'`{name}`' for name in DEFAULTS)}, `OTEL_EXPORTER_OTLP_PROTOCOL`, "
        "`OTEL_RESOURCE_ATTRIBUTES`",
        "what is not set is set, to our defaults; the distribution's name is put before the resource's attributes",
        "when `opentelemetry-instrument` starts",
        "never: children of the program inherit it, as they do what the user has set",
        "`OTEL_PYTHON_DISTRO`",
    ),
)
