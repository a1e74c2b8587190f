# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# To be sourced from the repository's root, before cmake is called: where ccache is installed nothing is compiled twice. The package is
# then made of the objects of the release build, which differs from it in what is installed only.
if command -v ccache >/dev/null; then
	export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
	# Paths count from the directory of the build, so that two builds of the same sources name their files alike.
	export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache} CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$PWD
	# Without these ccache leaves alone what a precompiled header is used for.
	export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
fi
