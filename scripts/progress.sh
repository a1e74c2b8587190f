# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# To be sourced: a build that says what it is doing, and a log for when it fails.

# took SECONDS: "41 s", "3 min 05 s".
took() {
	if [ "$1" -lt 60 ]; then echo "$1 s"; else printf '%d min %02d s\n' $(($1 / 60)) $(($1 % 60)); fi
}

# follow_ninja NAME LOG: copies standard input to the log and shows how far ninja is: on a terminal one line that is kept up to
# date, elsewhere a line every ten seconds.
follow_ninja() {
	local name=$1 log=$2 line step started=$SECONDS shown=$SECONDS
	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$log"
		[[ $line =~ ^\[([0-9]+/[0-9]+)\]\ (.*)$ ]] || continue
		step=${BASH_REMATCH[2]/#Building CXX object /}
		step="$name: ${BASH_REMATCH[1]}, $(took $((SECONDS - started))): $(sed -E 's|CMakeFiles/[^/]*\.dir/||; s/\.o$//' <<<"$step")"
		if [ -t 2 ]; then
			printf '\r\033[K%s' "${step:0:$((${COLUMNS:-$(tput cols 2>/dev/null || echo 80)} - 1))}" >&2
		elif [ $((SECONDS - shown)) -ge 10 ]; then
			shown=$SECONDS
			printf '%s\n' "$step" >&2
		fi
	done
	if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

# run NAME LOG COMMAND…: what went wrong, from the first error on, when it fails; ends the script then.
run() {
	local name=$1 log=$2
	shift 2
	: >"$log"
	if ! NINJA_STATUS='[%f/%t] ' "$@" 2>&1 </dev/null | follow_ninja "$name" "$log"; then
		grep -m1 -A60 -E 'FAILED:|CMake Error|error:' "$log" >&2 || tail -n 40 "$log" >&2
		echo "$name: '$*' failed; all of its output is in $log" >&2
		exit 1
	fi
}
