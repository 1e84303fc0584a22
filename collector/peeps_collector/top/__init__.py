# SPDX-License-Identifier: Apache-2.0
"""`peeps top`: what is stuck and who waits for what, live in a terminal."""
