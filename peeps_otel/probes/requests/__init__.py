# SPDX-License-Identifier: Apache-2.0
"""The responses of requests, by which urllib3's connections are in somebody's hands."""
