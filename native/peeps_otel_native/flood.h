/* SPDX-License-Identifier: Apache-2.0 */
/* What can be reached from what acts. */

#ifndef PEEPS_OTEL_NATIVE_FLOOD_H
#define PEEPS_OTEL_NATIVE_FLOOD_H

#include "blocked.h"

int pass_again(Reach *reach, int32_t place);
int revive(Reach *reach, Py_ssize_t number);
int flood(Reach *reach);

#endif
