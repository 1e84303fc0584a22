# SPDX-License-Identifier: Apache-2.0
"""From looks to OpenTelemetry: events, spans, metrics, and the link to our collector."""
