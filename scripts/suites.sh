# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Packages of other Debian suites than this machine's. To be sourced, with $name set to whom messages come from.
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
	echo "$name: $*" >&2
	exit 1
}

# The first package source of this machine that is a Debian mirror (its path ends in /debian), security and third parties left out.
mirror_of_this_machine() {
	# shellcheck disable=SC2016 # apt fills these in
	apt-get indextargets --format '$(SITE)|$(REPO_URI)' 2>/dev/null | cut -d'|' -f2 | grep -E '/debian/?$' | head -n 1 || true
}

# Sets $mirror.
find_mirror() {
	mirror=${LOOPSNOOP_MIRROR:-$(mirror_of_this_machine)}
	[[ -n $mirror ]] || die "this machine's apt has no Debian mirror: set LOOPSNOOP_MIRROR"
	[[ -r $keyring ]] || die "no $keyring: apt-get install debian-archive-keyring"
}

# apt_of_suite SUITE FOLDER: makes FOLDER/apt.conf. With APT_CONFIG=FOLDER/apt.conf apt knows that suite alone, and nothing as
# installed; its lists, state and cache are in FOLDER.
apt_of_suite() {
	local suite=$1 work=$2
	mkdir -p "$work"/{lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d,etc/sources.list.d,etc/trusted.gpg.d}
	: >"$work/status" # nothing is installed: everything that is needed gets fetched
	echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/etc/sources.list"
	cat >"$work/apt.conf" <<-CONF
		Dir::Etc "$work/etc";
		Dir::State "$work";
		Dir::State::lists "$work/lists";
		Dir::State::status "$work/status";
		Dir::Cache "$work/cache";
		Dir::Log "$work";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
		Acquire::Retries "3";
		DPkg::Post-Invoke "";
		APT::Update::Post-Invoke "";
		APT::Keep-Downloaded-Packages "true";
	CONF
	# APT_CONFIG is read after the machine's own configuration, whose proxies stay in force; what is cleared here are its hooks.
	local hooks='#clear DPkg::Post-Invoke; #clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success; #clear DPkg::Pre-Install-Pkgs;'
	echo "$hooks" >>"$work/apt.conf"
}
