#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure and Makefile.in.  Needs autoconf and automake.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force ${1+"$@"}
