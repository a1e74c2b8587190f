# SPDX-License-Identifier: Apache-2.0
# Makes the man page or a shell's completion out of the help texts: awk -v kind=man|bash|zsh|fish -v version=… -f from-help.awk.
# Input: the help of loopsnoop, then of each subcommand, each after a line "@command NAME" (NAME empty for loopsnoop itself). So there is
# one list of options, where the command line declares them. Options are lines "  -x, --long META  words", continued at column 31.

function shape(line) { return line ~ /^(  -[A-Za-z], |      )--[a-z-]+/ }

# Splits a line of an option into short_, long_, meta_ and words_.
function read_option(line,    head, parts, n, i) {
	short_ = long_ = meta_ = words_ = ""
	match(line, /^ +(-[A-Za-z], )?--[a-z-]+( \[?[A-Z:]+\]?)?/)
	head = substr(line, 1, RLENGTH)
	words_ = tidy(substr(line, RLENGTH + 1))
	gsub(/,/, "", head)
	n = split(head, parts, " ")
	for (i = 1; i <= n; i++) {
		if (parts[i] ~ /^--/) long_ = parts[i]
		else if (parts[i] ~ /^-/) short_ = parts[i]
		else meta_ = parts[i]
	}
}

function tidy(text) {
	gsub(/[ \t]+/, " ", text)
	sub(/^ /, "", text)
	sub(/ $/, "", text)
	return text
}

/^@command/ { command = $2; commands[++command_count] = command; first[command] = ""; in_option = 0; part = "head"; next }
first[command] == "" && NF { first[command] = $0; next }
/^Usage:/ { part = "usage"; usage[command] = tidy(substr($0, 7)); next }
part == "usage" && /^  loopsnoop/ { usage[command] = usage[command] "\n" tidy($0); next }
/^Exit status:/ { part = "end" }
/^[A-Z].*:$/ { part = "options"; section = substr($0, 1, length($0) - 1) }
shape($0) && part != "head" {
	read_option($0)
	n = ++count[command]
	short[command, n] = short_; long[command, n] = long_; meta[command, n] = meta_; words[command, n] = words_
	sections[command, n] = section
	in_option = 1
	next
}
in_option && match($0, /^ +/) && RLENGTH >= 28 {
	words[command, count[command]] = tidy(words[command, count[command]] (tidy($0) ~ /^[A-Z]+: / ? ". " : " ") $0)
	next
}
{ in_option = 0 }
part == "head" && /^  / { examples[command] = examples[command] substr($0, 3) "\n"; next }
{ sub(/^Exit status: /, command == "" ? "" : "Exit status: ") }
(part == "end" || part == "usage") && NF && !/^[A-Z].*:$/ { after[command] = after[command] $0 "\n" }

# What a value of this kind is completed with.
function values(meta) {
	gsub(/[][]/, "", meta)
	if (meta == "PID") return "pid"
	if (meta == "FILE" || meta == "PATH") return "file"
	return ""
}

function roff(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	gsub(/'/, "\\(aq", text)
	if (text ~ /^\./) text = "\\&" text
	return text
}

function names(c, n) { return (short[c, n] != "" ? "\\fB" roff(short[c, n]) "\\fR, " : "") "\\fB" roff(long[c, n]) "\\fR" }

function man_options(c,    n, shown) {
	shown = ""
	for (n = 1; n <= count[c]; n++) {
		if (c == "" && sections[c, n] != shown) {
			shown = sections[c, n]
			print ".SS " roff(shown)
		}
		print ".TP"
		print names(c, n) (meta[c, n] != "" ? " \\fI" roff(meta[c, n]) "\\fR" : "")
		print roff(words[c, n]) "."
	}
}

function man_lines(text,    lines, n, i) {
	n = split(text, lines, "\n")
	for (i = 1; i <= n; i++) if (lines[i] != "") print roff(lines[i])
}

function man_block(text) {
	print ".nf"
	man_lines(text)
	print ".fi"
}

function man(    i, c, name) {
	print ".\\\" Made by scripts/packaging/from-help.awk from the help texts."
	print ".TH LOOPSNOOP 1 \"\" \"loopsnoop " version "\" \"User Commands\""
	print ".SH NAME"
	name = first[""]
	sub(/^loopsnoop: /, "", name)
	print "loopsnoop \\- " roff(name)
	print ".SH SYNOPSIS"
	man_block(usage[""])
	print ".SH DESCRIPTION"
	print "loopsnoop follows the thread of a running server that runs its event loop, from outside and through eBPF,"
	print "and says why it froze: which line of code blocked it, on what, held up by whom, and for how long."
	print ".SH OPTIONS"
	man_options("")
	print ".SH SUBCOMMANDS"
	for (i = 1; i <= command_count; i++) {
		c = commands[i]
		if (c == "") continue
		print ".SS loopsnoop " roff(c)
		print roff(first[c])
		print ".PP"
		man_block(usage[c])
		man_options(c)
		print ".PP"
		man_lines(after[c])
	}
	print ".SH EXAMPLES"
	man_block(examples[""])
	print ".SH EXIT STATUS"
	man_lines(after[""])
	print ".SH SEE ALSO"
	print "README.md beside the package's copyright: the output, the JSON records and the metrics explained."
}

function option_words(c,    n, out) {
	for (n = 1; n <= count[c]; n++) out = out (out == "" ? "" : " ") long[c, n] (short[c, n] != "" ? " " short[c, n] : "")
	return out
}

# Options of any command whose value is of that kind, or (kind "any") which have a value that must be there, for a case of bash.
function with_value(kind,    i, c, n, seen, out) {
	for (i = 1; i <= command_count; i++) {
		c = commands[i]
		for (n = 1; n <= count[c]; n++) {
			if (meta[c, n] == "" || long[c, n] in seen) continue
			if (kind == "any" ? (meta[c, n] ~ /^\[/ || values(meta[c, n]) != "") : values(meta[c, n]) != kind) continue
			seen[long[c, n]] = 1
			out = out (out == "" ? "" : " | ") long[c, n] (short[c, n] != "" ? " | " short[c, n] : "")
		}
	}
	return out
}

function subcommands(    i, out) {
	for (i = 1; i <= command_count; i++) if (commands[i] != "") out = out (out == "" ? "" : " ") commands[i]
	return out
}

function bash(    i, c) {
	print "# Completion of loopsnoop for bash. Made by scripts/packaging/from-help.awk from the help texts."
	print "_loopsnoop() {"
	print "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' each"
	print "\tCOMPREPLY=()"
	print "\tfor each in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do"
	print "\t\t[ \"$each\" != -- ] || { mapfile -t COMPREPLY < <(compgen -c -- \"$word\") && return; }"
	print "\tdone"
	print "\tcase $before in"
	if (with_value("pid") != "")
		print "\t" with_value("pid") ") mapfile -t COMPREPLY < <(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$word\") && return ;;"
	if (with_value("file") != "")
		print "\t" with_value("file") ") mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;"
	print "\t" with_value("any") ") return ;;"
	print "\tesac"
	print "\tif [ \"$COMP_CWORD\" -gt 1 ]; then command=${COMP_WORDS[1]}; fi"
	print "\tlocal options"
	print "\tcase $command in"
	for (i = 1; i <= command_count; i++) {
		c = commands[i]
		if (c == "") continue
		print "\t" c ") options='" option_words(c) "' ;;"
	}
	print "\t*) options='" option_words("") "' ;;"
	print "\tesac"
	print "\tif [ \"$COMP_CWORD\" -eq 1 ]; then options=\"$options " subcommands() "\"; fi"
	print "\tif [ \"$command\" = report ] && [[ $word != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); fi"
	print "\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W \"$options\" -- \"$word\")"
	print "}"
	print "complete -o filenames -F _loopsnoop loopsnoop"
}

function quoted(text) {
	gsub(/'/, "'\\''", text)
	return "'" text "'"
}

function zsh_options(c,    n, action, says, value) {
	for (n = 1; n <= count[c]; n++) {
		says = words[c, n]
		gsub(/\[/, "(", says)
		gsub(/\]/, ")", says)
		gsub(/:/, "\\:", says)
		value = ""
		if (meta[c, n] != "") {
			action = values(meta[c, n]) == "pid" ? "_pids" : values(meta[c, n]) == "file" ? "_files" : " "
			says = "[" says "]"
			value = meta[c, n]
			gsub(/[][]/, "", value)
			gsub(/:/, "\\:", value)
			value = (meta[c, n] ~ /^\[/ ? "::" : ":") value ":" action
		} else says = "[" says "]"
		# PID may come again; the others once.
		if (short[c, n] != "")
			print "\t\t" (meta[c, n] == "PID" || meta[c, n] == "TID" ? "'*'" : "'(" short[c, n] " " long[c, n] ")'") "{" short[c, n] "," long[c, n] "}" quoted(says value) " \\"
		else print "\t\t" quoted(long[c, n] says value) " \\"
	}
}

function zsh(    i, c) {
	print "#compdef loopsnoop"
	print "# Completion of loopsnoop for zsh. Made by scripts/packaging/from-help.awk from the help texts."
	print "_loopsnoop() {"
	print "\tcase ${words[2]} in"
	for (i = 1; i <= command_count; i++) {
		c = commands[i]
		if (c == "") continue
		print "\t" c ")"
		print "\t\tshift words"
		print "\t\t(( CURRENT-- ))"
		print "\t\t_arguments \\"
		zsh_options(c)
		print "\t\t" (c == "report" ? "'*:FILE:_files'" : "")
		print "\t\t;;"
	}
	print "\t*)"
	print "\t\t_arguments \\"
	zsh_options("")
	print "\t\t'1:command:(" subcommands() ")' '*::: :_normal'"
	print "\t\t;;"
	print "\tesac"
	print "}"
	print "_loopsnoop \"$@\""
}

function fish(    i, c, n, line, when) {
	print "# Completion of loopsnoop for fish. Made by scripts/packaging/from-help.awk from the help texts."
	print "complete -c loopsnoop -f"
	for (i = 1; i <= command_count; i++) {
		c = commands[i]
		when = c == "" ? "not __fish_seen_subcommand_from " subcommands() : "__fish_seen_subcommand_from " c
		if (c != "") print "complete -c loopsnoop -n __fish_use_subcommand -a " c " -d " fish_quoted(first[c])
		if (c == "report") print "complete -c loopsnoop -n '" when "' -F"
		for (n = 1; n <= count[c]; n++) {
			line = "complete -c loopsnoop -n '" when "'"
			if (short[c, n] != "") line = line " -s " substr(short[c, n], 2)
			line = line " -l " substr(long[c, n], 3)
			if (values(meta[c, n]) == "pid") line = line " -x -a '(__fish_complete_pids)'"
			else if (values(meta[c, n]) == "file") line = line (meta[c, n] ~ /^\[/ ? " -F" : " -r -F")
			else if (meta[c, n] != "") line = line " -x"
			print line " -d " fish_quoted(words[c, n])
		}
	}
}

function fish_quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/'/, "\\'", text)
	return "'" text "'"
}

END {
	if (kind == "man") man()
	else if (kind == "bash") bash()
	else if (kind == "zsh") zsh()
	else if (kind == "fish") fish()
	else exit 2
}
