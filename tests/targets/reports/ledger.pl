#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A server on Mojolicious whose handler takes the lock of a file.
use Fcntl ':flock';
use Mojolicious::Lite -signatures;

my $ledger = shift @ARGV;

sub next_number {
	open my $file, '+>>', $ledger or die "open: $!";
	flock $file, LOCK_EX or die "lock: $!";
	print {$file} "x\n";
	return -s $file;
}

helper issue => sub ($c, $who) { return $who . '-' . next_number() };
get '/issue' => sub ($c) { $c->render(text => $c->issue('anyone')) };
get '/' => sub ($c) { $c->render(text => 'ok') };
app->log->level('error');
app->start;
